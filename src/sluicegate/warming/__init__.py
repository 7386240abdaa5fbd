"""Filling the cache ahead of its users: what to fetch, in what order, and what came of it."""
