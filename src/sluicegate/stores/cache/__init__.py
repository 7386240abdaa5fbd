"""Cached responses: on disk, in memory, in Redis."""
