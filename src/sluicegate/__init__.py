"""Sluicegate: a forward proxy that makes any downloader polite. A cache above, exact rate limits below."""
