"""The composition root: from a configuration to running objects, and from a new configuration to the same ones changed.

`Runtime` is everything that answers requests, whoever accepts the connections: `service` makes it a proxy of its own,
`build_addon` puts it into a stock mitmdump.
"""

import os
import ssl
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from sluicegate.admin.cache_api import Upkeep
from sluicegate.clock import Clock, SystemClock
from sluicegate.config import compile as compiled
from sluicegate.config.diff import compare, with_fixed
from sluicegate.config.load import Loaded, load_settings
from sluicegate.config.models import Settings
from sluicegate.config.notices import on_fallback, on_reload
from sluicegate.core.events import Level
from sluicegate.core.limits.rates import format_rates
from sluicegate.exchange.hits import Hits
from sluicegate.files import write_atomically
from sluicegate.gate.gate import HostStatus
from sluicegate.groundwork import admin_token, make_state_dir, open_configured_log
from sluicegate.observe.bridge import LogBridge
from sluicegate.observe.metrics import Metrics
from sluicegate.observe.sink import FanOut
from sluicegate.observe.state import LimitState, State
from sluicegate.observe.status import ConfigInfo, status_document
from sluicegate.observe.totals import totals_of
from sluicegate.outgoing import Outgoing
from sluicegate.proxy.addon import SluicegateAddon
from sluicegate.proxy.authority import Authority, ensure_authority
from sluicegate.proxy.embedded import Embedded
from sluicegate.proxy.hub import Services
from sluicegate.proxy.wayside import Parent, Wayside
from sluicegate.upstream.parent import ParentProxy
from sluicegate.upstream.tls import client_context


class Runtime:
    """The objects of one running proxy. Made from a configuration, `reload`ed with another, closed at the end."""

    def __init__(self, loaded: Loaded, *, clock: Clock | None = None) -> None:
        """Open everything. Must be called with a running event loop. Raises StartError, ConfigError."""
        settings = loaded.settings
        self.loaded = loaded
        self.clock: Clock = clock or SystemClock()
        self.started = self.clock.now()
        make_state_dir(settings.state_dir)
        self.log = open_configured_log(settings, self.clock)
        self.metrics = Metrics(hosts=settings.limits.hosts, probe=self.state, dropped_lines=lambda: self.log.dropped)
        self.events = FanOut(self.log, self.metrics)
        self._bridge = LogBridge(self.events).install()
        self._loaded_at = self.clock.wall()
        self.authority: Authority = ensure_authority(settings.state_dir)
        self.upstream_roots = _upstream_roots(settings, self.authority)
        self._parent = _parent(settings)
        self.token = admin_token(settings)
        self._outgoing = Outgoing(settings, clock=self.clock, events=self.events, token=self.token)
        self.addon = SluicegateAddon(self._services(settings), clock=self.clock, events=self.events)
        for notice in on_fallback(loaded.fallback):
            self.events.emit(notice)

    async def reload(self, loaded: Loaded, *, announce: bool = True) -> None:
        """Let a new configuration take effect, as far as it can without a restart; say what cannot.

        What was spent at a limit stays spent, and requests under way go on. Without `announce`, somebody else says it.
        """
        old, new = self.loaded.settings, loaded.settings
        changes = compare(old, new)
        self.loaded = loaded
        self._loaded_at = self.clock.wall()
        effective = with_fixed(old, new)
        self.log.set_level(Level(effective.log.level))
        self.events.refresh()
        self.metrics.hosts.configure(effective.limits.hosts)
        await self._outgoing.configure(effective)
        self.addon.services = self._services(effective)
        self.loaded = replace(loaded, settings=effective)
        if announce:
            for notice in on_reload(changes, loaded.checksum):
                self.events.emit(notice)

    def state(self) -> State:
        """The gauges of all rooms."""
        entries, size = self._outgoing.store.stats()
        connections = self._outgoing.pool.stats()
        return State(
            limits=[self._limit_state(status) for status in self._outgoing.gate.snapshot()],
            cache_entries=entries,
            cache_bytes=size,
            connections_open=sum(counts.open for counts in connections.values()),
            connections_idle=sum(counts.idle for counts in connections.values()),
        )

    def _limit_state(self, status: HostStatus) -> LimitState:
        limit, _ = self._outgoing.table.match(status.key)
        rates = format_rates(limit.rates) or "unlimited"
        return LimitState(status.key, limit.name, rates, limit.concurrency, status.queue, status.in_flight)

    def status(self, *, listen: str, ready: bool) -> dict[str, object]:
        """The document of `/api/status`."""
        file = self.loaded.file
        return status_document(
            listen=listen,
            uptime_s=self.clock.now() - self.started,
            config=ConfigInfo(str(file) if file else None, self.loaded.checksum, self._loaded_at),
            totals=totals_of(self.metrics.tally),
            state=self.state(),
            ready=ready,
        )

    def upkeep(self) -> Upkeep:
        """What the admin server needs to manage the cache."""
        store = self._outgoing.store
        return Upkeep(
            self.token,
            lambda: nullcontext(store),
            self.events,
            self.clock.wall,
            lambda url: compiled.cache_keys(url, self.loaded.settings),
        )

    async def close(self) -> None:
        """Close what was opened, the log last."""
        await self._outgoing.close()
        self._bridge.remove()
        self.log.close()

    def _services(self, settings: Settings) -> Services:
        outgoing = self._outgoing
        return Services(
            engine=outgoing.engine,
            hits=Hits(
                store=outgoing.store,
                rules=outgoing.cached.rules,
                access=outgoing.access,
                refresh=outgoing.cached.refresher.begin,
            ),
            wayside=Wayside(
                gate=outgoing.gate,
                access=outgoing.access,
                identity=outgoing.identity,
                parent=self._parent,
                offline=settings.cache.offline,
            ),
            interception=compiled.interception(settings),
            header_limit=settings.header_limit,
            authority=self.authority.cert_path,
        )


def build_addon() -> Embedded:
    """The addon for a stock `mitmdump -s`, configured by SLUICEGATE_CONFIG and the other variables.

    Must be called with a running event loop, as scripts are. Raises StartError, ConfigError: mitmdump then ends.
    """
    runtime = Runtime(load_settings(environ=os.environ))
    return Embedded(
        runtime.addon,
        confdir=runtime.authority.confdir,
        upstream_roots=runtime.upstream_roots,
        close=runtime.close,
    )


def _parent(settings: Settings) -> Parent | None:
    if settings.upstream_proxy is None:
        return None
    parsed = ParentProxy.parse(settings.upstream_proxy.get_secret_value())
    authorization = next((value.decode() for _, value in parsed.fields), "")
    return Parent((parsed.host, parsed.port), authorization)


def _upstream_roots(settings: Settings, authority: Authority) -> Path:
    """The roots that mitmproxy verifies with where it connects itself: the same as those of the pool."""
    roots = client_context(settings.https.upstream_ca).get_ca_certs(binary_form=True)
    path = authority.confdir / "upstream-roots.pem"
    write_atomically(path, "".join(map(ssl.DER_cert_to_PEM_cert, roots)).encode(), mode=0o644)
    return path
