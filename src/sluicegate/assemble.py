"""The composition root: from a configuration to running objects, and from a new configuration to the same ones changed.

`Runtime` is everything that answers requests, whoever accepts the connections: `service` makes it a proxy of its own,
`build_addon` puts it into a stock mitmdump.
"""

import os
import secrets
import ssl
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from sluicegate.clock import Clock, SystemClock
from sluicegate.config import compile as compiled
from sluicegate.config.diff import compare, with_fixed
from sluicegate.config.load import Loaded, load_settings
from sluicegate.config.models import Settings
from sluicegate.config.notices import on_fallback, on_reload
from sluicegate.config.passwords import CachedVerifier
from sluicegate.core.access import AccessPolicy
from sluicegate.core.events import Level
from sluicegate.core.limits.ports import PermitStore
from sluicegate.core.limits.rates import format_rates
from sluicegate.errors import CacheStoreError, PermitStoreError, StartError
from sluicegate.exchange.cached import CachedForwarder
from sluicegate.exchange.call import Identity
from sluicegate.exchange.engine import Engine
from sluicegate.exchange.flights import Flights
from sluicegate.exchange.forward import Forwarder
from sluicegate.exchange.hits import Hits
from sluicegate.files import write_atomically
from sluicegate.gate.gate import Gate, HostStatus
from sluicegate.groundwork import make_state_dir, open_configured_log
from sluicegate.observe.bridge import LogBridge
from sluicegate.observe.metrics import Metrics
from sluicegate.observe.sink import FanOut
from sluicegate.observe.state import LimitState, State
from sluicegate.observe.status import ConfigInfo, status_document
from sluicegate.observe.totals import totals_of
from sluicegate.proxy.addon import SluicegateAddon
from sluicegate.proxy.authority import Authority, ensure_authority
from sluicegate.proxy.embedded import Embedded
from sluicegate.proxy.hub import Services
from sluicegate.proxy.wayside import Parent, Wayside
from sluicegate.stores.cache.disk.store import DiskCacheStore
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.stores.cache.redis.store import RedisCacheStore
from sluicegate.stores.permits.memory import MemoryPermitStore
from sluicegate.stores.permits.slots import LockedSlots
from sluicegate.stores.permits.sqlite import SqlitePermitStore
from sluicegate.upstream.parent import ParentProxy
from sluicegate.upstream.pool import Pool
from sluicegate.upstream.settings import UpstreamPoolSettings
from sluicegate.upstream.tls import client_context

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


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
        self._verify = CachedVerifier()
        self._identity = Identity(f"sluicegate-{secrets.token_hex(4)}".encode())
        self._loaded_at = self.clock.wall()
        self.authority: Authority = ensure_authority(settings.state_dir)
        self.upstream_roots = _upstream_roots(settings, self.authority)
        self._parent = _parent(settings)
        self._store = _cache_store(settings, self.events, self.clock)
        self._permits = _permit_store(settings, self.clock)
        self._slots = _slot_store(settings, self.clock)
        self._table = compiled.limit_table(settings)
        self._gate = Gate(
            self._table,
            self._permits,
            self.clock,
            self.events,
            max_inflight=settings.limits.max_inflight,
            shared=self._slots,
        )
        self._pool = Pool(self._pool_settings(settings))
        self._flights = Flights(self.clock)
        self._flights.configure(
            collapse=settings.cache.collapse, finish_when_abandoned=settings.cache.finish_when_abandoned
        )
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
        self._table = compiled.limit_table(effective)
        self._gate.configure(self._table, effective.limits.max_inflight)
        self._pool.configure(self._pool_settings(effective))
        await self._store.set_max_size(effective.cache.max_size)
        self._flights.configure(
            collapse=effective.cache.collapse, finish_when_abandoned=effective.cache.finish_when_abandoned
        )
        self.addon.services = self._services(effective)
        self.loaded = replace(loaded, settings=effective)
        if announce:
            for notice in on_reload(changes, loaded.checksum):
                self.events.emit(notice)

    def state(self) -> State:
        """The gauges of all rooms."""
        entries, size = self._store.stats()
        connections = self._pool.stats()
        return State(
            limits=[self._limit_state(status) for status in self._gate.snapshot()],
            cache_entries=entries,
            cache_bytes=size,
            connections_open=sum(counts.open for counts in connections.values()),
            connections_idle=sum(counts.idle for counts in connections.values()),
        )

    def _limit_state(self, status: HostStatus) -> LimitState:
        limit, _ = self._table.match(status.key)
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

    async def close(self) -> None:
        """Close what was opened, the log last."""
        await self._gate.aclose()
        await self._flights.aclose()
        await self._pool.aclose()
        await self._store.aclose()
        await self._permits.aclose()
        if self._slots is not None:
            self._slots.close()
        self._bridge.remove()
        self.log.close()

    def _services(self, settings: Settings) -> Services:
        access = _access(settings, self._verify)
        forwarder = Forwarder(
            gate=self._gate, pool=self._pool, clock=self.clock, events=self.events, identity=self._identity
        )
        cached = CachedForwarder(
            forwarder=forwarder,
            store=self._store,
            options=compiled.cache_options(settings),
            clock=self.clock,
            events=self.events,
            flights=self._flights,
        )
        return Services(
            engine=Engine(cached=cached, access=access, identity=self._identity),
            hits=Hits(store=self._store, options=cached.options, access=access),
            wayside=Wayside(gate=self._gate, access=access, identity=self._identity, parent=self._parent),
            interception=compiled.interception(settings),
            header_limit=settings.header_limit,
            authority=self.authority.cert_path,
        )

    def _pool_settings(self, settings: Settings) -> UpstreamPoolSettings:
        parent = settings.upstream_proxy
        access = _access(settings, self._verify)
        return UpstreamPoolSettings(
            connect_timeout_s=settings.upstream.connect_timeout,
            first_byte_timeout_s=settings.upstream.first_byte_timeout,
            idle_timeout_s=settings.upstream.idle_timeout,
            keepalive_s=settings.upstream.keepalive,
            dns_cache_s=settings.upstream.dns_cache,
            max_connections=settings.upstream.max_connections,
            max_idle_per_origin=max(limit.concurrency for limit in compiled.all_limits(settings)),
            tls=client_context(settings.https.upstream_ca),
            parent_proxy=parent.get_secret_value() if parent is not None else None,
            permit_address=None if access.allow_private else access.permits_address,
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


def _access(settings: Settings, verify: CachedVerifier) -> AccessPolicy:
    access = settings.access
    guarded = bool(access.allow or access.users)
    return AccessPolicy(
        allow=(*access.allow, *LOOPBACK) if access.allow else (),
        users={name: hashed.get_secret_value() for name, hashed in access.users.items()},
        verify=verify,
        allow_private=access.allow_private or not guarded,
    )


def _parent(settings: Settings) -> Parent | None:
    if settings.upstream_proxy is None:
        return None
    parsed = ParentProxy.parse(settings.upstream_proxy.get_secret_value())
    authorization = next((value.decode() for _, value in parsed.fields), "")
    return Parent((parsed.host, parsed.port), authorization)


def _cache_store(
    settings: Settings, events: FanOut, clock: Clock
) -> DiskCacheStore | MemoryCacheStore | RedisCacheStore:
    max_entry_size = compiled.max_entry_size(settings)
    if settings.cache.store == "redis":
        return _redis_cache(settings, events, clock)
    if settings.cache.store == "memory":
        return MemoryCacheStore(max_size=settings.cache.max_size, max_entry_size=max_entry_size)
    return DiskCacheStore(
        settings.state_dir / "cache",
        events=events,
        clock=clock,
        max_size=settings.cache.max_size,
        max_entry_size=max_entry_size,
    )


def _redis_cache(settings: Settings, events: FanOut, clock: Clock) -> RedisCacheStore:
    cache = settings.cache
    try:
        return RedisCacheStore(
            cache.redis_url.get_secret_value(),
            events=events,
            clock=clock,
            max_size=cache.max_size,
            max_body=min(cache.redis_max_body, compiled.max_entry_size(settings)),
        )
    except CacheStoreError as error:
        raise StartError(str(error), advice=error.advice) from error


def _permit_store(settings: Settings, clock: Clock) -> PermitStore:
    if settings.limits.backend == "memory":
        return MemoryPermitStore(clock)
    store = SqlitePermitStore(settings.state_dir, clock)
    try:
        store.open()
    except PermitStoreError as error:
        raise StartError(str(error), advice=error.advice) from error
    return store


def _slot_store(settings: Settings, clock: Clock) -> LockedSlots | None:
    if settings.limits.backend == "memory":
        return None
    store = LockedSlots(settings.state_dir, clock)
    try:
        store.open()
    except PermitStoreError as error:
        raise StartError(str(error), advice=error.advice) from error
    return store


def _upstream_roots(settings: Settings, authority: Authority) -> Path:
    """The roots that mitmproxy verifies with where it connects itself: the same as those of the pool."""
    roots = client_context(settings.https.upstream_ca).get_ca_certs(binary_form=True)
    path = authority.confdir / "upstream-roots.pem"
    write_atomically(path, "".join(map(ssl.DER_cert_to_PEM_cert, roots)).encode(), mode=0o644)
    return path
