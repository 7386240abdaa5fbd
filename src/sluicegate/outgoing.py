"""The engine with all it stands on: cache, limiter and the way to the origins. It has no listener.

Proxies put one in front of it (`assemble`); commands ask it directly, as one more process on the state directory.
"""

import secrets
from ipaddress import ip_network

from sluicegate.clock import Clock
from sluicegate.config import compile as compiled
from sluicegate.config.models import Settings
from sluicegate.config.passwords import CachedVerifier
from sluicegate.core.access import AccessPolicy
from sluicegate.core.admin_token import AdminToken
from sluicegate.core.limits.table import LimitTable
from sluicegate.core.ports import EventSink
from sluicegate.exchange.cached import CachedForwarder
from sluicegate.exchange.call import Identity
from sluicegate.exchange.engine import Engine
from sluicegate.exchange.flights import Flights
from sluicegate.exchange.forward import Forwarder
from sluicegate.exchange.purging import Purging
from sluicegate.gate.gate import Gate
from sluicegate.opening import open_cache_store, open_permit_store, open_slot_store
from sluicegate.upstream.pool import Pool
from sluicegate.upstream.settings import UpstreamPoolSettings
from sluicegate.upstream.tls import client_context

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Outgoing:
    """Made from a configuration, `configure`d with another, closed at the end.

    `access`, `cached` and `engine` are replaced when the configuration changes; the rest stays.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        events: EventSink,
        patience_s: float | None = None,
        token: AdminToken | None = None,
    ) -> None:
        """Open the stores; the state directory must exist. Must be called with a running event loop. Raises StartError.

        `patience_s` stands in for the `max_wait` of every limit, for whoever would only ask again. Without
        `token` nobody can PURGE.
        """
        self._clock = clock
        self._events = events
        self._patience_s = patience_s
        self._token = token
        self._verify = CachedVerifier()
        self.identity = Identity(f"sluicegate-{secrets.token_hex(4)}".encode())
        self.store = open_cache_store(settings, events, clock)
        self._permits = open_permit_store(settings, clock)
        self._slots = open_slot_store(settings, clock)
        self.table = self._limits(settings)
        self.gate = Gate(
            self.table,
            self._permits,
            clock,
            events,
            max_inflight=settings.limits.max_inflight,
            shared=self._slots,
        )
        self.access = access_policy(settings, self._verify)
        self.pool = Pool(self._pool_settings(settings))
        self.flights = Flights(clock)
        self._configure_flights(settings)
        self.cached = self._cached(settings)
        self.engine = self._engine(settings)

    async def configure(self, settings: Settings) -> None:
        """Let another configuration take effect. What was spent at a limit stays spent, and requests under way go on."""
        await self.flights.background.allow(anything=not settings.cache.offline)
        self.table = self._limits(settings)
        self.gate.configure(self.table, settings.limits.max_inflight)
        self.access = access_policy(settings, self._verify)
        self.pool.configure(self._pool_settings(settings))
        await self.store.set_max_size(settings.cache.max_size)
        self._configure_flights(settings)
        self.cached = self._cached(settings)
        self.engine = self._engine(settings)

    async def close(self) -> None:
        """Refuse who waits, give up what is under way, write what is to be written."""
        await self.flights.background.aclose()
        await self.gate.aclose()
        await self.flights.aclose()
        await self.pool.aclose()
        await self.store.aclose()
        await self._permits.aclose()
        if self._slots is not None:
            self._slots.close()

    def _limits(self, settings: Settings) -> LimitTable:
        return compiled.limit_table(settings, max_wait_s=self._patience_s)

    def _configure_flights(self, settings: Settings) -> None:
        cache = settings.cache
        self.flights.configure(collapse=cache.collapse, finish_when_abandoned=cache.finish_when_abandoned)

    def _cached(self, settings: Settings) -> CachedForwarder:
        forwarder = Forwarder(
            gate=self.gate, pool=self.pool, clock=self._clock, events=self._events, identity=self.identity
        )
        return CachedForwarder(
            forwarder=forwarder,
            store=self.store,
            rules=compiled.cache_rules(settings),
            clock=self._clock,
            events=self._events,
            flights=self.flights,
        )

    def _engine(self, settings: Settings) -> Engine:
        purging = None
        if self._token is not None:
            purging = Purging(
                token=self._token,
                store=self.store,
                flights=self.flights,
                events=self._events,
                key=compiled.cache_rules(settings).key,
            )
        return Engine(cached=self.cached, access=self.access, identity=self.identity, purging=purging)

    def _pool_settings(self, settings: Settings) -> UpstreamPoolSettings:
        parent = settings.upstream_proxy
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
            permit_address=None if self.access.allow_private else self.access.permits_address,
        )


def access_policy(settings: Settings, verify: CachedVerifier) -> AccessPolicy:
    """`access` of the configuration, ready to be asked."""
    access = settings.access
    guarded = bool(access.allow or access.users)
    return AccessPolicy(
        allow=(*access.allow, *LOOPBACK) if access.allow else (),
        users={name: hashed.get_secret_value() for name, hashed in access.users.items()},
        verify=verify,
        allow_private=access.allow_private or not guarded,
    )
