"""The process above the workers: it holds the port, the admin server and the configuration, and serves nobody itself."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from sluicegate.admin.cache_api import Upkeep
from sluicegate.admin.server import AdminServer
from sluicegate.clock import SystemClock
from sluicegate.config.compile import cache_keys
from sluicegate.config.diff import Changes, compare, with_fixed
from sluicegate.config.load import Loaded
from sluicegate.config.models import Settings
from sluicegate.config.notices import on_bad_reload, on_fallback, on_reload
from sluicegate.config.watch import ConfigWatcher
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.errors import ConfigError
from sluicegate.groundwork import admin_token, make_state_dir, open_configured_log
from sluicegate.observe.bridge import LogBridge
from sluicegate.observe.metrics import Metrics
from sluicegate.observe.sink import FanOut
from sluicegate.observe.state import State
from sluicegate.observe.status import ConfigInfo, status_document
from sluicegate.observe.totals import Totals
from sluicegate.opening import cache_store_beside
from sluicegate.proxy.authority import ensure_authority
from sluicegate.tasks import spawn
from sluicegate.workers.count import worker_count
from sluicegate.workers.crew import Crew, Post
from sluicegate.workers.sums import Retired, named, sum_metrics, sum_status

_LOOK_EVERY_S = 5.0
"""How often the workers are asked how they do: what one has counted since is lost when it is killed. A report takes a
worker a millisecond, and ten where it knows a hundred hosts."""


class Supervisor:
    """To the command line what a `Service` is: the same methods, and many processes behind them."""

    def __init__(self, loaded: Loaded, load: Callable[[], Loaded]) -> None:
        """Prepare what all workers need. Must be called with a running event loop. Raises StartError."""
        settings = loaded.settings
        self.listen = ""
        self.admin = ""
        make_state_dir(settings.state_dir)
        self._clock = SystemClock()
        self._log = open_configured_log(settings, self._clock)
        self._metrics = Metrics(dropped_lines=lambda: self._log.dropped)
        self._events = FanOut(self._log, self._metrics)
        self._bridge = LogBridge(self._events).install()
        self._token = admin_token(settings)
        self.authority: Path = ensure_authority(settings.state_dir).cert_path
        self._started = self._clock.now()
        self._in_force(replace(loaded, fallback=()))
        self._retired = Retired()
        self._crew = Crew(worker_count(settings), clock=self._clock, events=self._events, retire=self._retired.add)
        self._ready = False
        self._stop = asyncio.Event()
        self._admin: AdminServer | None = None
        self._watcher = ConfigWatcher(loaded.files, load, self._reloaded, self._clock)
        for notice in on_fallback(loaded.fallback):
            self._events.emit(notice)

    async def start(self) -> None:
        """Have all workers accept clients. Raises StartError."""
        settings = self._loaded.settings
        if settings.admin is not None:
            self._admin = AdminServer(
                settings.admin.host,
                settings.admin.port,
                status=self._status,
                ready=lambda: self._ready and bool(self._crew.lives),
                metrics=self._exposition,
                upkeep=self._upkeep(settings),
            )
            await self._admin.start()
            self.admin = self._admin.address
        self.listen = self._crew.listen(settings.listen.host, settings.listen.port)
        await self._crew.start(self._loaded)
        self._ready = True
        count = len(self._crew.posts)
        message = f"Listening on {self.listen} with {count} workers."
        self._say("started", message, listen=self.listen, admin=self.admin, workers=count)

    async def run(self) -> None:
        """Serve until `stop`, then drain for at most `drain_timeout`; a second `stop` ends that at once."""
        tasks = [
            spawn(self._watcher.run(), name="configuration watcher"),
            spawn(self._look(), name="look at the workers"),
        ]
        try:
            await self._stop.wait()
            await self._drain()
        finally:
            for task in tasks:
                task.cancel()

    def stop(self) -> None:
        """Stop accepting and let what is under way finish; called again, do not wait for it."""
        if self._stop.is_set():
            self._crew.cut_short()
        self._stop.set()

    def reload(self) -> None:
        """Read the configuration again."""
        self._watcher.reload()

    async def close(self) -> None:
        """Leave no worker behind; the log's last line is out when this returns."""
        self._ready = False
        self._crew.stop_listening()
        self._crew.cut_short()
        await self._crew.end(0)
        if self._admin is not None:
            await self._admin.stop()
        self._say("stopped", "Stopped.")
        self._bridge.remove()
        self._log.close()

    def _upkeep(self, settings: Settings) -> Upkeep:
        """The cache as one more process beside the workers sees it."""
        return Upkeep(
            self._token,
            partial(cache_store_beside, settings, self._events, self._clock),
            self._events,
            self._clock.wall,
            lambda url: cache_keys(url, self._loaded.settings),
        )

    async def _drain(self) -> None:
        self._ready = False
        self._crew.stop_listening()
        ending = spawn(self._crew.end(self._loaded.settings.drain_timeout), name="drain")
        await self._crew.refresh()
        under_way = sum(life.report.under_way for life in self._crew.lives if life.report is not None)
        self._say("draining", f"Stopping; {under_way} requests are under way.", under_way=under_way)
        await ending

    async def _look(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_EVERY_S)
            await self._crew.refresh()

    def _reloaded(self, outcome: Loaded | ConfigError) -> None:
        if isinstance(outcome, ConfigError):
            self._events.emit(on_bad_reload(outcome))
            return
        old = self._loaded.settings
        changes = compare(old, outcome.settings)
        self._in_force(replace(outcome, settings=with_fixed(old, outcome.settings)))
        self._log.set_level(Level(self._loaded.settings.log.level))
        self._events.refresh()
        spawn(self._spread(self._loaded, changes), name="reload")

    async def _spread(self, loaded: Loaded, changes: Changes) -> None:
        failed = await self._crew.configure(loaded)
        for notice in on_reload(changes, loaded.checksum):
            self._events.emit(notice)
        for pid, why in failed.items():
            message = f"The worker with process id {pid} did not take the new configuration ({why}); restart the proxy."
            fields: dict[str, object] = {"pid": pid}
            self._events.emit(Notice(Stage.CONFIG, "reload_incomplete", Level.ERROR, message, fields))

    def _in_force(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._loaded_at = self._clock.wall()

    async def _exposition(self, accept: str) -> tuple[bytes, str]:
        await self._crew.refresh()
        reports = [
            named(str(post.number), post.life.report.metrics)
            for post in self._crew.posts
            if post.life is not None and post.life.report is not None
        ]
        own = named("supervisor", self._metrics.registry.collect())
        encode, content_type = choose_encoder(accept)
        return encode(_Sums(sum_metrics([own, self._retired.metrics, *reports]))), content_type

    async def _status(self) -> dict[str, object]:
        await self._crew.refresh()
        file = self._loaded.file
        own = status_document(
            listen=self.listen,
            uptime_s=self._clock.now() - self._started,
            config=ConfigInfo(str(file) if file else None, self._loaded.checksum, self._loaded_at),
            totals=Totals(),
            state=State(),
            ready=self._ready,
        )
        documents = [life.report.status for life in self._crew.lives if life.report is not None]
        return sum_status(own, documents, self._retired) | {"workers": [_about(post) for post in self._crew.posts]}

    def _say(self, event: str, message: str, **fields: object) -> None:
        self._events.emit(Notice(Stage.LIFECYCLE, event, Level.INFO, message, fields))


class _Sums(Collector):
    """What the library's encoders read."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _about(post: Post) -> dict[str, object]:
    life, report = post.life, post.life.report if post.life is not None else None
    return {
        "worker": post.number,
        "pid": life.pid if life is not None else None,
        "uptime_s": round(life.lived_s, 3) if life is not None else 0.0,
        "connections": report.connections if report is not None else 0,
        "under_way": report.under_way if report is not None else 0,
        "requests": report.status["totals"]["requests"] if report is not None else 0,
        "restarts": post.restarts,
        "responding": life is not None and life.accepts and life.responding,
    }
