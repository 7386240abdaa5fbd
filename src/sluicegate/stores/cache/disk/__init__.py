"""The cache on disk: SQLite for heads and small bodies, a file for each larger one, memory in front of both."""
