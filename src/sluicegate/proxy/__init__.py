"""The only room that knows mitmproxy: its listener, TLS and tunnels on one side, the engine on the other."""
