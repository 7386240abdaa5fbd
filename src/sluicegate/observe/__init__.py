"""Being watched: events in; log lines, metrics, status and the admin server out.

Everything here reads the values of `core.events` and decides nothing. Nothing here raises into the proxy or blocks it.
"""
