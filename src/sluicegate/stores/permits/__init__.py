"""Permits given: in SQLite, in memory."""
