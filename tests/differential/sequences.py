"""Random request sequences: what a scripted resource is like, and what a client asks of it, step by step.

All of it is plain data, made from a seed, so that the same sequence can be told to every way of asking.
"""

from dataclasses import dataclass, replace
from random import Random

from sluicegate.core.caching.fields.directives import format_date
from sluicegate.core.http import FieldList

START = 1_800_000_000.5
"""Where every clock begins (Unix seconds)."""
CHANGED = 1_799_000_000
"""When a resource's first version was made; each later one a thousand seconds after the one before."""
SIZES = (0, 1, 1000, 1000, 1000, 70_000, 300_000)
"""Bytes: nothing, a little, more than one read, more than stores keep in memory."""

_FRESHNESS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("Cache-Control", "max-age=60"),),
    (("Cache-Control", "max-age=60"),),
    (("Cache-Control", "max-age=60"),),
    (("Cache-Control", "max-age=100"),),
    (("Cache-Control", "public, max-age=5"),),
    (("cache-control", "max-age=1, s-maxage=30"),),
    (("Cache-Control", "s-maxage=3, proxy-revalidate"),),
    (("Cache-Control", "max-age=3, must-revalidate"),),
    (("Cache-Control", "max-age=60"), ("CACHE-CONTROL", 'no-cache="X-Odd"')),
    (("Cache-Control", 'private="x-rep", max-age=20'),),
    (("Cache-Control", "max-age=10, stale-while-revalidate=5, stale-if-error=60"),),
    (("Cache-Control", "max-age=60"), ("Age", "7")),
    (("Cache-Control", "max-age=60"), ("Expires", "0")),
    (("Expires", "@30"),),
    (("Expires", "@-5"),),
    (),
    (("Cache-Control", "public"),),
    (("Cache-Control", "no-cache"),),
    (("Cache-Control", "max-age=60, no-cache"),),
    (("Cache-Control", "no-store"),),
    (("Cache-Control", "no-store, must-understand, max-age=9"),),
    (("Cache-Control", "private, max-age=60"),),
    (("Cache-Control", "max-age=0"),),
    (("Cache-Control", "max-age=oops"),),
    (("Pragma", "no-cache"),),
)
"""`@n` stands for the HTTP date `n` seconds from the clock's time."""
_VARIES = (
    (),
    (),
    (),
    ("Accept-Language",),
    ("accept-encoding",),
    ("X-Kind",),
    ("Accept-Language, X-Kind",),
    ("Accept-Language", "X-Kind"),
    ("*",),
)
_ODD: tuple[tuple[tuple[bytes, bytes], ...], ...] = (
    (),
    (),
    ((b"X-Odd", b"caf\xe9 \xff"),),
    ((b"X-Rep", b"1"), (b"x-rep", b"2"), (b"X-REP", b"1")),
    ((b"Connection", b"X-Hop, close-ish"), (b"X-Hop", b"of this connection only"), (b"X-Odd", b"")),
    ((b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2; Path=/"), (b"x-lower", b'"q, w"')),
    ((b"Keep-Alive", b"timeout=5"), (b"Via", b"1.1 somebody"), (b"cache-status", b"Other; hit")),
    ((b"Content-Type", b"text/plain"), (b"Content-Encoding", b"identity"), (b"Warning", b'110 - "stale"')),
)
_STATUSES = (200, 200, 200, 200, 200, 200, 200, 203, 204, 301, 302, 404, 410, 500)
_LANGUAGES = ("de", "en", "de, en;q=0.5", "EN", "en;q=0.5,de")
_CONTROLS = (
    "no-cache",
    "no-store",
    "max-age=0",
    "max-age=5",
    "max-age=1000",
    "min-fresh=4",
    "max-stale",
    "max-stale=3",
    "only-if-cached",
    "max-stale, only-if-cached",
    "no-cache, max-age=0",
    "max-age=x",
)
_RANGES = (
    "bytes=0-0",
    "bytes=2-4",
    "bytes=5-",
    "bytes=-3",
    "bytes=-0",
    "bytes=999999999-",
    "bytes=0-999999999",
    "bytes=66000-69999",
    "bytes=0-1,5-7",
    "bytes=5-7, -2",
    "bytes=0-5,3-9",
    "bytes=4-2",
    "lines=1-2",
    "Bytes=1-2",
)
_READING = ("GET", "HEAD")
_PAST_THE_STORED = (b"range", b"if-range", b"if-match", b"if-unmodified-since")
_WAITS = (0.4, 1.0, 2.6, 4.0, 10.0, 31.0, 70.0)


@dataclass(frozen=True)
class Resource:
    """What a scripted origin has under one path. Its answer follows from this, the request and how often it changed."""

    path: str
    status: int
    size: int
    framing: str
    """`length`, `chunked`, `trailers` (chunked, with some) or `close`."""
    freshness: tuple[tuple[str, str], ...]
    vary: tuple[str, ...]
    tag: str
    """`strong`, `weak` or nothing."""
    dated: bool
    """Whether it has a Last-Modified."""
    odd: tuple[tuple[bytes, bytes], ...]
    ranges: bool
    """Whether the origin knows ranges."""
    date: bool
    """Whether responses have a Date."""
    unsafe_status: int
    """The answer to a request that would change it."""
    points_at: str
    """What such an answer names in Location; the resource at that path is not changed."""

    def etag(self, version: int, variant: str) -> str:
        mark = "W/" if self.tag == "weak" else ""
        return f'{mark}"{self.path}-{version}-{variant}"'

    def modified(self, version: int) -> str:
        return http_date(CHANGED + 1000 * version)


@dataclass(frozen=True)
class Step:
    """One request, and for how long the clock runs before it."""

    wait_s: float
    method: str
    path: str
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes | None

    def whole_fields(self, host: str) -> FieldList:
        """The header section as a client sends it."""
        framing = [] if self.body is None else [(b"Content-Length", b"%d" % len(self.body))]
        return [(b"Host", host.encode()), *self.fields, *framing]


@dataclass(frozen=True)
class Sequence:
    """Resources and what is asked of them, in order."""

    seed: int
    resources: tuple[Resource, ...]
    steps: tuple[Step, ...]

    def unambiguous(self) -> "Sequence":
        """The same without what is forwarded past the stored response, whose answer may then be stored beside it.

        Of two responses that are as old and fit as well, the first that the store names is used.
        """
        steps = [
            replace(step, fields=tuple(item for item in step.fields if item[0].lower() not in _PAST_THE_STORED))
            for step in self.steps
        ]
        return replace(self, steps=tuple(steps))

    def told(self) -> str:
        """The whole of it, to be read by whoever looks for a fault."""
        lines = [f"seed {self.seed}", *map(str, self.resources)]
        for number, step in enumerate(self.steps):
            fields = " | ".join(f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in step.fields)
            size = "" if step.body is None else f" ({len(step.body)} bytes)"
            lines.append(f"{number:3}  +{step.wait_s:g}s {step.method} {step.path}{size}  {fields}")
        return "\n".join(lines)


def http_date(unix_s: float) -> str:
    return format_date(unix_s).decode()


def sequence(seed: int, length: int) -> Sequence:
    """The sequence of this seed."""
    dice = Random(seed)
    paths = [f"/{seed}/{name}" for name in ("a", "b?q=1", "c%7e/./d")]
    resources = [_resource(dice, path, paths) for path in paths]
    versions = dict.fromkeys(paths, 0)
    steps = []
    for _ in range(length):
        resource = dice.choice(resources)
        step = _step(dice, resource, versions[resource.path])
        if steps and step.method in _READING and dice.random() < 0.3:
            # Clients say the same again and again, of the same resource or of another.
            last = steps[-1]
            path = last.path if dice.random() < 0.5 else step.path
            hidden = ((b"Connection", b"X-Kind, Accept-Language"),) if dice.random() < 0.2 else ()
            step = replace(step, path=path, fields=(*last.fields, *hidden))
        if step.method not in _READING and resource.unsafe_status < 400:
            versions[resource.path] += 1
        steps.append(step)
    return Sequence(seed, tuple(resources), tuple(steps))


def _resource(dice: Random, path: str, paths: list[str]) -> Resource:
    return Resource(
        path,
        status=dice.choice(_STATUSES),
        size=dice.choice(SIZES),
        framing=dice.choice(("length", "length", "length", "chunked", "trailers", "close")),
        freshness=dice.choice(_FRESHNESS),
        vary=dice.choice(_VARIES),
        tag=dice.choice(("strong", "strong", "weak", "")),
        dated=dice.random() < 0.5,
        odd=dice.choice(_ODD),
        ranges=dice.random() < 0.5,
        date=dice.random() < 0.9,
        unsafe_status=dice.choice((200, 200, 204, 303, 404, 500)),
        points_at=dice.choice(["", "", "//elsewhere.test/", *paths]),
    )


def _step(dice: Random, resource: Resource, version: int) -> Step:
    wait_s = dice.choice(_WAITS) if dice.random() < 0.35 else 0.0
    method = dice.choices(("GET", "HEAD", "POST", "PUT", "DELETE"), (80, 10, 4, 3, 3))[0]
    fields: list[tuple[bytes, bytes]] = []
    # Mostly plain: fresh answers to plain requests are what has a way of its own.
    for chance, make in (
        (0.35, _selecting),
        (0.18, _conditional),
        (0.12, _ranged),
        (0.15, _controlled),
        (0.2, _peculiar),
    ):
        if dice.random() < chance:
            fields += make(dice, resource, version)
    dice.shuffle(fields)
    body = None
    if method in ("POST", "PUT"):
        # What is answered without a look at a long body ends the connection, or not: that depends on how fast it came.
        answered_unread = any(b"only-if-cached" in value for _, value in fields)
        body = dice.choice((b"", b"x", b"content" * 50, b"x" if answered_unread else b"y" * 70_000))
    return Step(wait_s, method, resource.path, tuple(fields), body)


def _selecting(dice: Random, _resource: Resource, _version: int) -> FieldList:
    made = []
    if dice.random() < 0.7:
        made.append((b"Accept-Language", dice.choice(_LANGUAGES).encode()))
    if dice.random() < 0.3:
        made.append((b"accept-encoding", dice.choice((b"gzip", b"identity, gzip"))))
    if dice.random() < 0.5:
        made.append((b"X-Kind", dice.choice((b"a", b"b", b""))))
    return made


def _conditional(dice: Random, resource: Resource, version: int) -> FieldList:
    tag = resource.etag(max(0, version - dice.choice((0, 0, 0, 1))), dice.choice(("", "", "de", "a")))
    since = http_date(CHANGED + 1000 * version + dice.choice((-1, 0, 0, 1, 2_000_000)))
    kind = dice.randrange(10)
    match kind:
        case 0:
            return [(b"If-None-Match", b"*")]
        case 1:
            return [(b"If-None-Match", f'W/"other", {tag}'.encode())]
        case 2:
            return [(b"If-None-Match", b'"other"'), (b"if-none-match", tag.encode())]
        case 3:
            return [(b"If-None-Match", f"W/{tag.removeprefix('W/')}".encode()), (b"If-Modified-Since", since.encode())]
        case 4 | 5:
            return [(b"If-Modified-Since", since.encode())]
        case 6:
            return [(b"If-Modified-Since", b"yesterday")]
        case 7:
            return [dice.choice(((b"If-Match", tag.encode()), (b"If-Unmodified-Since", since.encode())))]
        case _:
            return [(b"If-None-Match", tag.encode())]


def _ranged(dice: Random, resource: Resource, version: int) -> FieldList:
    made = [(b"Range", dice.choice(_RANGES).encode())]
    if dice.random() < 0.4:
        made.append(
            (b"If-Range", dice.choice((resource.etag(version, ""), '"other"', resource.modified(version))).encode())
        )
    return made


def _controlled(dice: Random, _resource: Resource, _version: int) -> FieldList:
    if dice.random() < 0.1:
        return [(b"Pragma", b"no-cache")]
    return [(b"Cache-Control", dice.choice(_CONTROLS).encode())]


def _peculiar(dice: Random, _resource: Resource, _version: int) -> FieldList:
    return dice.choice(
        (
            [(b"Authorization", b"Basic dXNlcjpzZWNyZXQ=")],
            [(b"Connection", b"X-Kind"), (b"X-Kind", b"a")],
            [(b"connection", b"close-ish, x-kind, accept-language"), (b"x-kind", b"")],
            [(b"Proxy-Connection", b"keep-alive"), (b"X-Obs", b"caf\xe9")],
            [(b"X-Rep", b"1"), (b"x-rep", b"2")],
            [(b"Cookie", b"a=1"), (b"X-Empty", b"")],
            [(b"Via", b"1.1 somebody"), (b"TE", b"trailers")],
            [(b"Max-Forwards", b"3")],
        )
    )
