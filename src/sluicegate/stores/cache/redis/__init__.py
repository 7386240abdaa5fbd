"""Cached responses in Redis, shared by all replicas that use it."""
