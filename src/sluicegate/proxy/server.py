"""A lean mitmproxy: its connection handling, TLS and tunnels, our listener, and no addon that we do not use."""

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

from mitmproxy import ctx, options
from mitmproxy.addons import core, next_layer, proxyserver, tlsconfig
from mitmproxy.master import Master
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.mode_specs import ProxyMode

from sluicegate.errors import StartError
from sluicegate.proxy.addon import SluicegateAddon
from sluicegate.proxy.lane import NextPieceHook

BACKLOG = 2048
MODE = ProxyMode.parse("regular")


class ConnectionHandler(ProxyConnectionHandler):
    """mitmproxy's, with a direct way for the lane's hook: no other addon has a say in it, and it is hot."""

    def __init__(self, addon: SluicegateAddon, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._addon = addon
        self.layer = modes.HttpProxy(self.layer.context)

    async def hook_task(self, hook: commands.StartHook) -> None:
        if not isinstance(hook, NextPieceHook):
            await super().hook_task(hook)
            return
        with self.timeout_watchdog.disarm():
            await self._addon.sluicegate_next_piece(hook.turn)
        await self.server_event(events.HookCompleted(hook))


class ProxyServer:
    """Listens for clients. The sockets are ours, so that a busy port is an error and draining starts by closing them."""

    def __init__(self, addon: SluicegateAddon, *, confdir: Path, upstream_roots: Path | None) -> None:
        self._addon = addon
        self._confdir = confdir
        self._upstream_roots = upstream_roots
        self._proxyserver = proxyserver.Proxyserver()
        self._master: Master | None = None
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Accept connections; the address really listened on (`port` may be 0). Raises StartError."""
        listening = _bind(host, port)
        self._master = Master(options.Options(server=False, confdir=str(self._confdir)))
        self._master.addons.add(
            core.Core(), self._proxyserver, self._addon, next_layer.NextLayer(), tlsconfig.TlsConfig()
        )
        if self._upstream_roots is not None:
            self._master.options.update(ssl_verify_upstream_trusted_ca=str(self._upstream_roots))
        await self._master.running()
        self._listener = await asyncio.start_server(self._handle, sock=listening, backlog=BACKLOG)
        address = listening.getsockname()
        return str(address[0]), int(address[1])

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = ConnectionHandler(self._addon, self._master, reader, writer, ctx.options, MODE)
        with self._proxyserver.register_connection(handler.client.id, handler):
            await handler.handle_client()

    def stop_accepting(self) -> None:
        """Close the listening socket; what is connected goes on."""
        self._addon.drain()
        if self._listener is not None:
            self._listener.close()

    @property
    def connections(self) -> int:
        """Client connections that are open."""
        return len(self._proxyserver.connections)

    async def close(self) -> None:
        """Cut every connection and end mitmproxy."""
        self.stop_accepting()
        handlers = []
        for connection in list(self._proxyserver.connections.values()):
            transport = connection.transports.get(connection.client)
            if transport is not None and transport.handler is not None:
                transport.handler.cancel("the proxy stops")
                handlers.append(transport.handler)
        if handlers:
            await asyncio.wait(handlers, timeout=1.0)
        if self._master is not None:
            await self._master.done()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartError(f"Cannot listen on {host}:{port}: {error}.", advice="Check `listen`.") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
