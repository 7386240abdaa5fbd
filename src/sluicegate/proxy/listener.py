"""The socket that clients connect to. It is ours, so that a busy port is an error and processes can share one."""

import errno
import socket

from sluicegate.errors import StartError

BACKLOG = 2048


def listen_on(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket (`port` may be 0: any free one), `shared` with others of its kind. Raises StartError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartError(f"Cannot listen on {host}:{port}: {error}.", advice="Check `listen`.") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        advice = {
            errno.EADDRINUSE: "Another program listens there, perhaps a second Sluicegate: stop it, or choose another "
            "port with --listen.",
            errno.EACCES: "Ports below 1024 need privileges: choose another with --listen.",
            errno.EADDRNOTAVAIL: "This machine has no such address: check `listen`.",
        }.get(error.errno or 0, "Check `listen`.")
        raise StartError(f"Cannot listen on {host}:{port}: {error.strerror}.", advice=advice) from error
    return bound


def listen_together(host: str, port: int, count: int) -> list[socket.socket]:
    """`count` sockets on one address, over which the system spreads connections. Raises StartError.

    A first one that shares with nobody makes sure that no other proxy is there, which would share the port unnoticed.
    """
    with listen_on(host, port) as alone:
        port = alone.getsockname()[1]
    return [listen_on(host, port, shared=True) for _ in range(count)]


def address_of(listening: socket.socket) -> str:
    """`host:port` as a URL has it, with the port that was really taken."""
    host, port, *_ = listening.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
