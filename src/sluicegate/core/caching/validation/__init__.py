"""Asking whether what is stored is still good, and bringing it up to date (RFC 9111 §4.3)."""
