"""The cache under test, with a scripted origin under it and the clock in the test's hand, told to the reference step by step."""

from itertools import count
from urllib.parse import urlsplit

from model import rfc
from model.plans import START, Script, Step
from model.reference import Asked, Done, Reference, Reply, Sent
from model.rfc import Fields
from sluicegate.clock import ManualClock
from sluicegate.core.access import AccessPolicy
from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.http import FieldList, Origin, RequestHead, ResponseHead
from sluicegate.errors import ConnectRefused
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.cached import CachedForwarder
from sluicegate.exchange.call import Call
from sluicegate.exchange.flights import Flights
from sluicegate.exchange.forward import Received
from sluicegate.exchange.hits import Hits, Ready
from sluicegate.stores.cache.memory import MemoryCacheStore

_PLAIN = frozenset({"x-kind", "accept-language", "authorization"})
"""Fields that leave a request one of those that the short way answers from a prepared head."""


class Origins:
    """All origins, in the place of the forwarder: they say what the step's script says."""

    def __init__(self, clock: ManualClock) -> None:
        self.sent: list[Sent] = []
        self.refreshed: list[Sent] = []
        """What was sent for no client, in the background."""
        self.script: Script | None = None
        self._clock = clock
        self._count = count(1)

    async def send(self, call: Call, request: RequestHead, _on_interim: object) -> Received:
        assert self.script is not None
        asked_at = int(self._clock.wall())
        if self.script.delay_s:
            await self._clock.advance(self.script.delay_s)
        now = int(self._clock.wall())
        fields = _text(request.fields)
        reply = self._reply(request.method, fields, self.script, now)
        (self.refreshed if call.background else self.sent).append(Sent(fields, reply, asked_at, now))
        if not reply.status:
            raise ConnectRefused(request.origin.host)
        head = ResponseHead(reply.status, b"Thus", _bytes(reply.fields))
        return Received(head, BytesBody(reply.body), asked_at, now)

    def _reply(self, method: str, asked: Fields, script: Script, now: int) -> Reply:
        if not script.status:
            return Reply(0, [], b"")
        number = next(self._count)
        fields = script.fields(now)
        fields.append(("X-Mark", f"m{number}"))
        if method in ("GET", "HEAD") and script.unchanged_for(asked):
            if script.conditions == "silent":
                fields = [item for item in fields if item[0] not in ("ETag", "Last-Modified")]
            return Reply(304, fields, b"")
        fields.append(("X-Secret", f"for one only {number}"))
        if method != "HEAD":
            # What HEAD tells may update a stored response, which keeps its serial.
            fields.append(("X-Serial", f"s{number}"))
        empty = method == "HEAD" or script.status == 204
        return Reply(script.status, fields, b"" if empty else b"content of s%d" % number)


class Trial:
    """One cache, and what the reference knows of it."""

    def __init__(self, *, shared: bool) -> None:
        self.clock = ManualClock(wall=float(START))
        self.reference = Reference(shared=shared)
        self.origins = Origins(self.clock)
        self.store = MemoryCacheStore()
        rules = RuleSet(CacheOptions(shared=shared))
        self._flights = Flights(self.clock)
        self._cached = CachedForwarder(
            forwarder=self.origins,
            store=self.store,
            rules=rules,
            clock=self.clock,
            events=_Deaf(),
            flights=self._flights,
        )
        self._hits = Hits(store=self.store, rules=rules, access=AccessPolicy())
        self._urls: set[str] = set()

    async def run(self, step: Step) -> Done:
        """Make the request, and have what was done with it judged."""
        if step.wait_s:
            await self.clock.advance(step.wait_s)
        self.origins.script = step.script
        self.origins.sent, self.origins.refreshed = [], []
        self._urls.add(step.url)
        at = int(self.clock.wall())
        asked = Asked(step.method, step.url, list(step.fields))
        answer = self._in_place(asked) if step.in_place else None
        if answer is None:
            answer = await self._through(asked)
        answered_at = int(self.clock.wall())
        while self._flights.background.count:
            await self.clock.settle()
        done = Done(asked, at, self.origins.sent, answer, answered_at, await self._stored(), self.origins.refreshed)
        self.reference.check(done)
        return done

    def _in_place(self, asked: Asked) -> Reply | None:
        if asked.method not in ("GET", "HEAD"):
            return None
        conditional = any(name.lower() not in _PLAIN for name, _ in asked.fields)
        ready = self._hits.answer(_head(asked), self.clock.wall(), conditional=conditional)
        if not isinstance(ready, Ready):
            return None
        block, _, body = ready.data.partition(b"\r\n\r\n")
        pairs = [line.decode("latin-1").split(": ", 1) for line in block.split(b"\r\n")[1:]]
        assert ready.body_length == len(body)
        return Reply(ready.status, [(name, value) for name, value in pairs], body)

    async def _through(self, asked: Asked) -> Reply:
        body = BytesBody(b"body") if asked.method in ("POST", "PUT") else None
        head = _head(asked)
        try:
            answer = await self._cached.answer(Call("1", "127.0.0.1", head, body), head, _no_interim)
        except ConnectRefused:
            return Reply(0, [], b"")
        content = b""
        while piece := await answer.body.read():
            content += bytes(piece)
        await answer.body.aclose()
        return Reply(answer.head.status, _text(answer.head.fields), content)

    async def _stored(self) -> set[str]:
        found = [
            entry for url in self._urls for entry in await self.store.entries(cache_key(_head(Asked("GET", url, []))))
        ]
        return {rfc.first(_text(entry.response.fields), "X-Serial") or "?" for entry in found}


class _Deaf:
    """Nobody listens."""

    def wants(self, _kind: type) -> bool:
        return False

    def emit(self, event: object) -> None:
        pass


def _head(asked: Asked) -> RequestHead:
    url = urlsplit(asked.url)
    return RequestHead(asked.method, Origin("http", url.hostname or "", 80), url.path, _bytes(asked.fields))


def _text(fields: FieldList) -> Fields:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def _bytes(fields: Fields) -> FieldList:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


async def _no_interim(_head: object) -> None:
    """No origin here sends a 1xx."""
