"""One proxy process from start to end: listen, serve, reload, drain."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sluicegate.admin.server import AdminServer
from sluicegate.config.load import Loaded
from sluicegate.config.notices import on_bad_reload
from sluicegate.config.watch import ConfigWatcher
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.errors import ConfigError
from sluicegate.proxy.listener import address_of, listen_on
from sluicegate.serving import Serving
from sluicegate.tasks import spawn


class Service:
    """A proxy with its listener and its admin server. `load` reads the configuration anew, for reloads."""

    def __init__(self, loaded: Loaded, load: Callable[[], Loaded]) -> None:
        """Open the stores. Must be called with a running event loop. Raises StartError, ConfigError."""
        self._serving = Serving(loaded)
        self._runtime = self._serving.runtime
        self.listen = ""
        self.admin = ""
        self._ready = False
        self._stop = asyncio.Event()
        self._admin: AdminServer | None = None
        self._watcher = ConfigWatcher(loaded.files, load, self._reloaded, self._runtime.clock)

    @property
    def authority(self) -> Path:
        """The certificate that clients have to trust."""
        return self._runtime.authority.cert_path

    async def start(self) -> None:
        """Accept clients. Raises StartError."""
        settings = self._runtime.loaded.settings
        if settings.admin is not None:
            self._admin = AdminServer(
                settings.admin.host,
                settings.admin.port,
                status=self._status,
                ready=lambda: self._ready,
                metrics=self._metrics,
                upkeep=self._runtime.upkeep(),
            )
            await self._admin.start()
            self.admin = self._admin.address
        listening = listen_on(settings.listen.host, settings.listen.port)
        self.listen = address_of(listening)
        await self._serving.start(listening)
        self._ready = True
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
            self._serving.cut_short()
        self._stop.set()

    def reload(self) -> None:
        """Read the configuration again."""
        self._watcher.reload()

    async def close(self) -> None:
        """Give everything back; the log's last line is out when this returns."""
        self._ready = False
        await self._serving.disconnect()
        if self._admin is not None:
            await self._admin.stop()
        self._say("stopped", "Stopped.")
        await self._runtime.close()

    async def _drain(self) -> None:
        self._ready = False
        self._serving.stop_accepting()
        under_way = self._serving.under_way
        self._say("draining", f"Stopping; {under_way} requests are under way.", under_way=under_way)
        await self._serving.until_idle()

    def _reloaded(self, outcome: Loaded | ConfigError) -> None:
        if isinstance(outcome, ConfigError):
            self._runtime.events.emit(on_bad_reload(outcome))
        else:
            spawn(self._runtime.reload(outcome), name="reload")

    async def _status(self) -> dict[str, object]:
        return self._runtime.status(listen=self.listen, ready=self._ready)

    async def _metrics(self, accept: str) -> tuple[bytes, str]:
        return self._runtime.metrics.exposition(accept)

    def _say(self, event: str, message: str, **fields: object) -> None:
        self._runtime.events.emit(Notice(Stage.LIFECYCLE, event, Level.INFO, message, fields))
