"""One proxy process from start to end: listen, serve, reload, drain."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

from sluicegate.assemble import Runtime
from sluicegate.config.load import Loaded
from sluicegate.config.watch import ConfigWatcher
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.errors import ConfigError
from sluicegate.observe.admin import AdminServer
from sluicegate.proxy.server import ProxyServer
from sluicegate.tasks import spawn


class Service:
    """A proxy with its listener and its admin server. `load` reads the configuration anew, for reloads."""

    def __init__(self, loaded: Loaded, load: Callable[[], Loaded]) -> None:
        """Open the stores. Must be called with a running event loop. Raises StartError, ConfigError."""
        self.runtime = Runtime(loaded)
        self.listen = ""
        self.admin = ""
        self.ready = False
        self._load = load
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._proxy = ProxyServer(
            self.runtime.addon, confdir=self.runtime.authority.confdir, upstream_roots=self.runtime.upstream_roots
        )
        self._admin: AdminServer | None = None
        self._watcher = ConfigWatcher(loaded.files, load, self._reloaded, self.runtime.clock)

    async def start(self) -> None:
        """Accept clients. Raises StartError."""
        settings = self.runtime.loaded.settings
        if settings.admin is not None:
            self._admin = AdminServer(
                settings.admin.host,
                settings.admin.port,
                status=lambda: self.runtime.status(listen=self.listen, ready=self.ready),
                ready=lambda: self.ready,
                metrics=self.runtime.metrics,
            )
            await self._admin.start()
            self.admin = self._admin.address
        host, port = await self._proxy.start(settings.listen.host, settings.listen.port)
        self.listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.ready = True
        self._say("started", f"Listening on {self.listen}.", listen=self.listen, admin=self.admin)

    async def run(self) -> None:
        """Serve until `stop`, then drain for at most `drain_timeout`; a second `stop` ends that at once."""
        watching = spawn(self._watcher.run(), name="configuration watcher")
        try:
            await self._stop.wait()
            await self._drain()
        finally:
            watching.cancel()

    def stop(self) -> None:
        """Stop accepting and let what is under way finish; called again, do not wait for it."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    def reload(self) -> None:
        """Read the configuration again."""
        self._watcher.reload()

    async def close(self) -> None:
        """Give everything back; the log's last line is out when this returns."""
        self.ready = False
        await self._proxy.close()
        if self._admin is not None:
            await self._admin.stop()
        self._say("stopped", "Stopped.")
        await self.runtime.close()

    def handle_signals(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP reloads."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    async def _drain(self) -> None:
        self.ready = False
        self._proxy.stop_accepting()
        under_way = self.runtime.addon.reception.active
        self._say("draining", f"Stopping; {under_way} requests are under way.", under_way=under_way)
        waits = [
            spawn(self.runtime.addon.reception.until_idle(), name="drain"),
            spawn(self._stop_now.wait(), name="second signal"),
        ]
        _, unfinished = await asyncio.wait(
            waits, timeout=self.runtime.loaded.settings.drain_timeout, return_when=asyncio.FIRST_COMPLETED
        )
        for task in unfinished:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _reloaded(self, outcome: Loaded | ConfigError) -> None:
        if isinstance(outcome, ConfigError):
            self.runtime.events.emit(
                Notice(
                    Stage.CONFIG,
                    "reload_failed",
                    Level.ERROR,
                    f"The new configuration is bad; the old one stays in force: {'; '.join(map(str, outcome.problems))}",
                )
            )
        else:
            spawn(self.runtime.reload(outcome), name="reload")

    def _say(self, event: str, message: str, **fields: object) -> None:
        self.runtime.events.emit(Notice(Stage.LIFECYCLE, event, Level.INFO, message, fields))
