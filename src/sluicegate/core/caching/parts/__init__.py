"""Parts of responses: stored, completed, and cut out of what is stored (RFC 9111 §3.3, §3.4)."""
