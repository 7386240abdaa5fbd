"""Adapters that keep the promises of core/ports.py: the cache and the permits, on disk or in memory."""
