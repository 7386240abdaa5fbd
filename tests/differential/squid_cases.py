"""What Squid and Sluicegate are both asked: a few requests of one resource, and what its origin says to each.

Nothing waits: what is to be stale comes with an old Date, an Age, or an Expires in the past.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

FRESH = "Cache-Control: max-age=3600"
OLD = "Date: {-7200}\nCache-Control: max-age=3600"
"""Stale since an hour."""
TAG = 'ETag: "v"'


@dataclass(frozen=True)
class Ask:
    """A request; `fields` as lines."""

    fields: str = ""
    method: str = "GET"
    path: str = ""
    """After the case's own path."""


@dataclass(frozen=True)
class Told:
    """What the origin says; `{n}` stands for the HTTP date n seconds from now. It answers 304 to its own tag or date."""

    fields: str = FRESH
    status: int = 200
    knows_ranges: bool = False


@dataclass(frozen=True)
class Case:
    """Requests one after the other, and the origin's answers: to the first one that reaches it, the next, and so on."""

    name: str
    told: Sequence[Told] = (Told(),)
    asks: Sequence[Ask] = field(default_factory=lambda: (Ask(), Ask()))


def _case(name: str, told: str | Told | Sequence[Told], *asks: Ask | str) -> Case:
    answers = (Told(told),) if isinstance(told, str) else (told,) if isinstance(told, Told) else tuple(told)
    made = tuple(ask if isinstance(ask, Ask) else Ask(ask) for ask in asks)
    return Case(name, answers, made) if made else Case(name, answers)


_AUTHORIZED = "Authorization: Basic bWU="
_HEAD, _POST, _DELETE = Ask(method="HEAD"), Ask(method="POST"), Ask(method="DELETE")
_RANGE = "Range: bytes=0-3"

CASES: tuple[Case, ...] = (
    _case("max-age", FRESH),
    _case("Expires in the future", "Expires: {3600}"),
    _case("nothing said, no validator", ""),
    _case("nothing said, a tag", TAG),
    _case("nothing said, changed ten days ago", "Last-Modified: {-864000}"),
    _case("nothing said, older than a tenth of how long it had not changed", "Date: {-150}\nLast-Modified: {-1150}"),
    _case("Expires in the past", f"Expires: {{-60}}\n{TAG}"),
    _case("Expires: 0", f"Expires: 0\n{TAG}"),
    _case("Expires before max-age", f"Expires: {{-60}}\n{FRESH}"),
    _case("Age beyond max-age", f"{FRESH}\nAge: 7200\n{TAG}"),
    _case("old Date", f"{OLD}\n{TAG}"),
    _case("no Date", f"{FRESH}\nDate: "),
    _case("Date in the future", f"{FRESH}\nDate: {{3600}}"),
    _case("s-maxage=0 over max-age", f"Cache-Control: max-age=3600, s-maxage=0\n{TAG}"),
    _case("s-maxage over max-age=0", "Cache-Control: max-age=0, s-maxage=3600"),
    _case("max-age in quotes", 'Cache-Control: max-age="3600"'),
    _case("max-age twice, the shorter first", f"Cache-Control: max-age=0, max-age=3600\n{TAG}"),
    _case("max-age that is no number", f"Cache-Control: max-age=soon\nLast-Modified: {{-864000}}\n{TAG}"),
    _case("no-store", "Cache-Control: no-store, max-age=3600"),
    _case("no-store with must-understand", "Cache-Control: no-store, must-understand, max-age=3600"),
    _case("no-cache with a tag", f"Cache-Control: no-cache, max-age=3600\n{TAG}"),
    _case("no-cache of one field", 'Cache-Control: no-cache="X-Foo", max-age=3600\nX-Foo: 1'),
    _case("private", "Cache-Control: private, max-age=3600"),
    _case("private of one field", 'Cache-Control: private="X-Foo", max-age=3600\nX-Foo: 1'),
    _case("Pragma: no-cache in the response", "Pragma: no-cache\nLast-Modified: {-864000}"),
    _case("a targeted field that was not asked for", "Cache-Control: max-age=3600\nCDN-Cache-Control: no-store"),
    _case("Surrogate-Control", "Cache-Control: max-age=3600\nSurrogate-Control: no-store"),
    _case("Authorization", FRESH, _AUTHORIZED, _AUTHORIZED),
    _case("Authorization and public", "Cache-Control: public, max-age=3600", _AUTHORIZED, _AUTHORIZED),
    _case("Authorization and s-maxage", "Cache-Control: s-maxage=3600", _AUTHORIZED, _AUTHORIZED),
    _case("Authorization and must-revalidate", f"{FRESH}, must-revalidate", _AUTHORIZED, _AUTHORIZED),
    _case("Authorization after the same without", FRESH, "", _AUTHORIZED),
    _case("Set-Cookie with max-age", f"{FRESH}\nSet-Cookie: a=1"),
    _case("Set-Cookie without a word", "Set-Cookie: a=1\nLast-Modified: {-864000}"),
    _case("Vary, the same", f"{FRESH}\nVary: X-Kind", "X-Kind: p", "X-Kind: p"),
    _case("Vary, another", f"{FRESH}\nVary: X-Kind", "X-Kind: p", "X-Kind: q", "X-Kind: p"),
    _case(
        "Vary, another with a tag of its own",
        (Told(f'{FRESH}\nVary: X-Kind\nETag: "p"'), Told(f'{FRESH}\nVary: X-Kind\nETag: "q"')),
        "X-Kind: p",
        "X-Kind: q",
    ),
    _case(
        "Vary, one variant for several kinds", f"{FRESH}\nVary: X-Kind\n{TAG}", "X-Kind: p", "X-Kind: q", "X-Kind: q"
    ),
    _case("Vary: *", f"{FRESH}\nVary: *"),
    _case(
        "Vary, languages in another order",
        f"{FRESH}\nVary: Accept-Language",
        "Accept-Language: de, en;q=0.5",
        "Accept-Language: en;q=0.5,de",
    ),
    _case("no-cache in the request", f"{FRESH}\n{TAG}", "", "Cache-Control: no-cache"),
    _case("Pragma: no-cache in the request", f"{FRESH}\n{TAG}", "", "Pragma: no-cache"),
    _case("max-age=0 in the request", f"{FRESH}\n{TAG}", "", "Cache-Control: max-age=0"),
    _case(
        "max-age=0 in the request for what is immutable", f"{FRESH}, immutable\n{TAG}", "", "Cache-Control: max-age=0"
    ),
    _case("min-fresh in the request", f"{FRESH}\n{TAG}", "", "Cache-Control: min-fresh=7200"),
    _case("max-stale in the request", f"{OLD}\n{TAG}", "", "Cache-Control: max-stale"),
    _case("max-stale in the request, too little", f"{OLD}\n{TAG}", "", "Cache-Control: max-stale=60"),
    _case(
        "max-stale in the request, must-revalidate", f"{OLD}, must-revalidate\n{TAG}", "", "Cache-Control: max-stale"
    ),
    _case("only-if-cached, nothing there", FRESH, "Cache-Control: only-if-cached"),
    _case("only-if-cached", FRESH, "", "Cache-Control: only-if-cached"),
    _case("no-store in the request", FRESH, "Cache-Control: no-store", ""),
    _case("HEAD after GET", FRESH, "", _HEAD),
    _case("GET after HEAD", FRESH, _HEAD, ""),
    _case("HEAD twice", FRESH, _HEAD, _HEAD),
    _case("If-None-Match, fresh", f"{FRESH}\n{TAG}", "", 'If-None-Match: "v"'),
    _case("If-None-Match, another tag", f"{FRESH}\n{TAG}", "", 'If-None-Match: "w"'),
    _case("If-None-Match, nothing stored", f"{FRESH}\n{TAG}", 'If-None-Match: "v"', ""),
    _case("If-None-Match, stale", f"{OLD}\n{TAG}", "", 'If-None-Match: "v"'),
    _case("If-Modified-Since, fresh", f"{FRESH}\nLast-Modified: {{-864000}}", "", "If-Modified-Since: {-3600}"),
    _case("If-Match", f"{FRESH}\n{TAG}", "", 'If-Match: "v"'),
    _case("a weak tag, stale", f'{OLD}\nETag: W/"v"'),
    _case("stale without a validator", OLD),
    _case("made fresh by a 304", (Told(f"{OLD}\n{TAG}"), Told(f"{FRESH}\n{TAG}")), "", "", ""),
    _case("a range of what is stored", f"{FRESH}\n{TAG}", "", _RANGE),
    _case("two ranges of what is stored", f"{FRESH}\n{TAG}", "", "Range: bytes=0-1,4-5"),
    _case("a range that is not there", f"{FRESH}\n{TAG}", "", "Range: bytes=9999-"),
    _case("a range twice", Told(f"{FRESH}\n{TAG}", knows_ranges=True), _RANGE, _RANGE),
    _case("a range, then all", Told(f"{FRESH}\n{TAG}", knows_ranges=True), _RANGE, ""),
    _case("If-Range with the tag", f"{FRESH}\n{TAG}", "", f'{_RANGE}\nIf-Range: "v"'),
    _case("If-Range with another tag", f"{FRESH}\n{TAG}", "", f'{_RANGE}\nIf-Range: "w"'),
    _case("POST in between", FRESH, "", _POST, ""),
    _case("DELETE in between", FRESH, "", _DELETE, ""),
    _case("POST in between that fails", (Told(), Told("", 500), Told()), "", _POST, ""),
    _case(
        "POST that names another resource", (Told(), Told("Location: {path}/b")), Ask(path="/b"), _POST, Ask(path="/b")
    ),
    _case("GET after a POST that says what GET would", f"{FRESH}\nContent-Location: {{path}}", _POST, ""),
    _case("OPTIONS in between", FRESH, "", Ask(method="OPTIONS"), ""),
    _case("another order of the query", FRESH, Ask(path="?a=1&b=2"), Ask(path="?b=2&a=1")),
    _case("dot segments", FRESH, Ask(path="/x/../y"), Ask(path="/y")),
    _case("percent-encodings", FRESH, Ask(path="/%7ea"), Ask(path="/~a")),
    _case("404 with max-age", Told(FRESH, 404)),
    _case("404 without a word", Told("", 404)),
    _case("404 changed ten days ago", Told("Last-Modified: {-864000}", 404)),
    _case("410 with max-age", Told(FRESH, 410)),
    _case("301 with max-age", Told(f"{FRESH}\nLocation: /z", 301)),
    _case("301 without a word", Told("Location: /z", 301)),
    _case("302 with max-age", Told(f"{FRESH}\nLocation: /z", 302)),
    _case("302 with Expires", Told("Expires: {3600}\nLocation: /z", 302)),
    _case("302 without a word", Told("Location: /z", 302)),
    _case("307 with max-age", Told(f"{FRESH}\nLocation: /z", 307)),
    _case("308 with max-age", Told(f"{FRESH}\nLocation: /z", 308)),
    _case("204 with max-age", Told(FRESH, 204)),
    _case("403 with max-age", Told(FRESH, 403)),
    _case("429 with max-age", Told(FRESH, 429)),
    _case("500 with max-age", Told(FRESH, 500)),
    _case("503 with max-age", Told(FRESH, 503)),
    _case("a status that nobody knows, with max-age", Told(FRESH, 299)),
)
