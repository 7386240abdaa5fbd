"""Getting clients in: the environment variables and files that make each of them use the proxy and trust its CA."""
