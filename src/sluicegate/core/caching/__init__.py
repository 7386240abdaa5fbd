"""RFC 9111, sans-io."""
