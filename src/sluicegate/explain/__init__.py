"""What cache and limiter would do with a request, and why, as plain data: made from the core's own decisions."""
