"""Which of several stored responses a request selects (RFC 9111 §4.1)."""
