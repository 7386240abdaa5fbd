"""The engine with everything real under it: gate, pool and stores in memory, a scripted origin on a socket."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from sluicegate.clock import Clock, SystemClock
from sluicegate.core.access import AccessPolicy
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.http import FieldList, Origin, RequestHead, ResponseHead
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.table import LimitTable
from sluicegate.core.ports import BodyReader, CacheStore
from sluicegate.exchange.cached import CachedForwarder
from sluicegate.exchange.call import Answer, Call, Identity
from sluicegate.exchange.engine import Engine
from sluicegate.exchange.flights import Flights
from sluicegate.exchange.forward import Forwarder
from sluicegate.gate.gate import Gate
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.stores.permits.memory import MemoryPermitStore
from sluicegate.upstream.pool import Pool
from sluicegate.upstream.settings import UpstreamPoolSettings


class Recorder:
    """An `EventSink` that keeps what it is told."""

    def __init__(self):
        self.events = []

    def wants(self, _kind):
        return True

    def emit(self, event):
        self.events.append(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Whole:
    """An answer, read to its end."""

    status: int
    fields: FieldList
    body: bytes
    call: Call
    interim: list[ResponseHead] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.fields if key.lower() == wanted), None)


class Bench:
    """An engine and what it stands on."""

    def __init__(
        self, engine: Engine, gate: Gate, pool: Pool, store: MemoryCacheStore, events: Recorder, *, flights: Flights
    ) -> None:
        self.engine = engine
        self.gate = gate
        self.pool = pool
        self.store = store
        self.events = events
        self.flights = flights
        self.rules = RuleSet(CacheOptions())
        self.engine_with: Callable[[RuleSet], Engine] = lambda _rules: engine
        self._count = 0

    def use(self, rules: RuleSet) -> None:
        """Other rules count from now on, as after a reload."""
        self.rules = rules
        self.engine = self.engine_with(rules)

    def call(
        self,
        url: str,
        *,
        method: str = "GET",
        body: BodyReader | None = None,
        fields: FieldList | None = None,
        client: str = "127.0.0.1",
    ) -> Call:
        self._count += 1
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        host, _, port = authority.partition(":")
        origin = Origin(scheme, host, int(port or {"http": 80, "https": 443}[scheme]))
        head = RequestHead(method, origin, slash + path or "/", [(b"Host", authority.encode()), *(fields or [])])
        return Call(f"t-{self._count}", client, head, body)

    async def ask(self, url: str, **options) -> Whole:
        return await self.finish(self.call(url, **options))

    async def finish(self, call: Call) -> Whole:
        interim: list[ResponseHead] = []

        async def on_interim(head: ResponseHead) -> None:
            interim.append(head)

        answer: Answer = await self.engine.handle(call, on_interim)
        pieces = []
        try:
            while data := await answer.body.read():
                pieces.append(data)
        finally:
            await answer.body.aclose()
        return Whole(answer.head.status, answer.head.fields, b"".join(pieces), call, interim)


@contextlib.asynccontextmanager
async def engine_bench(
    *,
    default: Limit | None = None,
    hosts: Mapping[str, Limit] | None = None,
    clock: Clock | None = None,
    access: AccessPolicy | None = None,
    options: CacheOptions | None = None,
    rules: RuleSet | None = None,
    pool: UpstreamPoolSettings | None = None,
    store: CacheStore | None = None,
    max_inflight: int = 500,
) -> AsyncIterator[Bench]:
    clock = clock or SystemClock()
    events = Recorder()
    identity = Identity(b"sluicegate-test")
    permits = MemoryPermitStore(clock)
    table = LimitTable(default=default or Limit("default"), hosts=hosts or {})
    gate = Gate(table, permits, clock, events, max_inflight=max_inflight)
    connections = Pool(pool or UpstreamPoolSettings())
    store = store or MemoryCacheStore()
    flights = Flights(clock)
    forwarder = Forwarder(gate=gate, pool=connections, clock=clock, events=events, identity=identity)

    def engine_with(rules: RuleSet) -> Engine:
        cached = CachedForwarder(
            forwarder=forwarder, store=store, rules=rules, clock=clock, events=events, flights=flights
        )
        return Engine(cached=cached, access=access or AccessPolicy(), identity=identity)

    rules = rules or RuleSet(options or CacheOptions())
    try:
        bench = Bench(engine_with(rules), gate, connections, store, events, flights=flights)
        bench.rules, bench.engine_with = rules, engine_with
        yield bench
    finally:
        await gate.aclose()
        await flights.aclose()
        await connections.aclose()
        await store.aclose()
        await permits.aclose()
