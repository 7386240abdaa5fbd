"""The engine: one request in, one streamed response out. Knows no mitmproxy."""
