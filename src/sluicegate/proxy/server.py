"""A lean mitmproxy: its connection handling, TLS and tunnels, our listener, and no addon that we do not use."""

import asyncio
import inspect
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mitmproxy import addonmanager, ctx, options
from mitmproxy.addons import core, next_layer, proxyserver, tlsconfig
from mitmproxy.master import Master
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.mode_specs import ProxyMode

from sluicegate.proxy.addon import SluicegateAddon
from sluicegate.proxy.client_stream import ClientProtocol
from sluicegate.proxy.hub import stream_of
from sluicegate.proxy.lane import NextPieceHook
from sluicegate.proxy.listener import BACKLOG

MODE = ProxyMode.parse("regular")


EVERY_CONNECTION = ("client_connected", "next_layer", "client_disconnected")
"""The hooks that each connection has."""

type Listeners = dict[str, list[Callable[..., Any]]]


class ConnectionHandler(ProxyConnectionHandler):
    """mitmproxy's, with a direct way for the hooks that are hot.

    No other addon has a say in the lane's hook, and who listens to those of `EVERY_CONNECTION` is known: mitmproxy asks
    every addon for every hook, which costs more than all else that a connection needs.
    """

    def __init__(self, addon: SluicegateAddon, listeners: Listeners, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._addon = addon
        self._listeners = listeners
        self.layer = modes.HttpProxy(self.layer.context)

    async def handle_hook(self, hook: commands.StartHook) -> None:
        listeners = self._listeners.get(hook.name)
        if listeners is None:
            await super().handle_hook(hook)
            return
        with self.timeout_watchdog.disarm():
            for listener in listeners:
                with addonmanager.safecall():
                    result = listener(*hook.args())
                    if inspect.isawaitable(result):
                        await result

    async def on_timeout(self) -> None:
        """Nothing came for a while: close the connection, unless a conversation is under way; then watch on."""
        if self._busy:
            self.timeout_watchdog.register_activity()
            await self.timeout_watchdog.watch()
        else:
            await super().on_timeout()

    @property
    def _busy(self) -> bool:
        stream = stream_of(self, self.client)
        protocol = None if stream is None else stream.transport.get_protocol()
        return isinstance(protocol, ClientProtocol) and protocol.busy

    async def hook_task(self, hook: commands.StartHook) -> None:
        if not isinstance(hook, NextPieceHook):
            await super().hook_task(hook)
            return
        with self.timeout_watchdog.disarm():
            await self._addon.sluicegate_next_piece(hook.turn)
        await self.server_event(events.HookCompleted(hook))


class ProxyServer:
    """Serves the clients of a listening socket; draining starts by closing it."""

    def __init__(self, addon: SluicegateAddon, *, confdir: Path, upstream_roots: Path | None) -> None:
        self._addon = addon
        self._confdir = confdir
        self._upstream_roots = upstream_roots
        self._proxyserver = proxyserver.Proxyserver()
        self._master: Master | None = None
        self._listeners: Listeners = {}
        self.closed = 0
        """Connections that were closed since the start."""
        self._listener: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Accept connections on a socket that listens, perhaps together with other processes."""
        self._master = Master(options.Options(server=False, confdir=str(self._confdir)))
        self._master.addons.add(
            core.Core(), self._proxyserver, self._addon, next_layer.NextLayer(), tlsconfig.TlsConfig()
        )
        if self._upstream_roots is not None:
            self._master.options.update(ssl_verify_upstream_trusted_ca=str(self._upstream_roots))
        self._listeners = _listeners(self._master)
        await self._master.running()
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: ClientProtocol(self._handle), sock=listening, backlog=BACKLOG)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = ConnectionHandler(self._addon, self._listeners, self._master, reader, writer, ctx.options, MODE)
        try:
            with self._proxyserver.register_connection(handler.client.id, handler):
                await handler.handle_client()
        finally:
            self.closed += 1

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


def _listeners(master: Master) -> Listeners:
    """Who listens to the hooks of `EVERY_CONNECTION`, in mitmproxy's order."""
    addons = list(addonmanager.traverse(master.addons.chain))
    return {
        name: [listener for addon in addons if (listener := getattr(addon, name, None)) is not None]
        for name in EVERY_CONNECTION
    }
