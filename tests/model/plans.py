"""What hypothesis draws: requests, what the origin would say to each, and how much time passes."""

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from model import rfc
from model.rfc import Fields

START = 1_800_000_000
LENGTH = 12
"""Requests of the longest sequence."""
URLS = ("http://a.test/x", "http://a.test/y", "http://b.test/x")
_ETAGS = (None, '"1"', '"2"', 'W/"1"')
_MODIFIED = (None, START - 10_000, START - 5_000_000, START + 500)
_STALE = (
    "max-age=5, stale-while-revalidate=300",
    "max-age=5, stale-if-error=300",
    "max-age=0, stale-while-revalidate=5, stale-if-error=20",
    "max-age=5, must-revalidate",
    "max-age=5, proxy-revalidate",
    "max-age=60, s-maxage=5",
    "max-age=5, stale-if-error=300, must-revalidate",
    "public, max-age=5",
)
_MODIFIED_SOMETIMES = st.sampled_from((None, None, *_MODIFIED))


@dataclass(frozen=True)
class Script:
    """What the origin says to one request; times are relative to when it says so."""

    status: int
    """0: it gives no answer at all."""
    control: tuple[str, ...]
    """Lines of Cache-Control."""
    date: int | str | None
    age: str | None
    expires: tuple[int | str, ...]
    etag: str | None
    modified: int | None
    vary: tuple[str, ...]
    other: tuple[tuple[str, str], ...]
    conditions: str
    """What it makes of a conditional request: `honest`, `unchanged` (always 304), `silent` (the same, with no field that
    says of what) or `ignored`."""
    delay_s: int

    def fields(self, now: int) -> Fields:
        """The header section of a response made at `now`."""
        found: Fields = [("Cache-Control", line) for line in self.control]
        if self.date is not None:
            found.append(("Date", _date(self.date, now)))
        found += [("Expires", _date(value, now)) for value in self.expires]
        if self.age is not None:
            found.append(("Age", self.age))
        found += [("Vary", line) for line in self.vary]
        if self.etag is not None:
            found.append(("ETag", self.etag))
        if self.modified is not None:
            found.append(("Last-Modified", rfc.date_text(self.modified)))
        return [*found, *self.other]

    def unchanged_for(self, asked: Fields) -> bool:
        """Whether the request's own condition lets it answer 304 (RFC 9110 §13.2.2)."""
        tags = rfc.members(asked, "If-None-Match")
        since = rfc.date(rfc.first(asked, "If-Modified-Since"))
        if self.status != 200 or self.conditions == "ignored" or not (tags or since is not None):
            return False
        if self.conditions != "honest":
            return True
        if tags:
            return "*" in tags or (self.etag or "none").removeprefix("W/") in [tag.removeprefix("W/") for tag in tags]
        return since is not None and self.modified is not None and self.modified <= since


@dataclass(frozen=True)
class Step:
    """One request, how long the clock runs before it, and what the origin says if it is asked."""

    wait_s: int
    method: str
    url: str
    fields: tuple[tuple[str, str], ...]
    script: Script
    in_place: bool
    """It comes the short way, if that has an answer."""

    def __str__(self) -> str:
        return f"+{self.wait_s}s {self.method} {self.url} {dict(self.fields)}{' (in place)' * self.in_place}\n      {self.script}"


def _date(value: int | str, now: int) -> str:
    return value if isinstance(value, str) else rfc.date_text(now + value)


def _often(usual: object, *rare: object) -> st.SearchStrategy:
    """Mostly the usual."""
    return st.sampled_from((usual,) * 3 * len(rare) + rare)


def _any(*values: object) -> st.SearchStrategy:
    return st.sampled_from(values)


_CONTROL = st.lists(
    st.sampled_from(
        (
            "max-age=60",
            "max-age=60",
            "max-age=5",
            "max-age=0",
            "max-age=1000",
            "s-maxage=30",
            "s-maxage=0",
            "public",
            "private",
            "no-cache",
            "no-store",
            "must-revalidate",
            "proxy-revalidate",
            "must-understand",
            "immutable",
            'no-cache="X-Secret"',
            'private="X-Secret"',
            "max-age=oops",
            'max-age="60"',
            "MAX-AGE=60",
            "max-age=-1",
            "max-age=99999999999999999999",
            "max-age=60, s-maxage=5",
            "max-age=60, public",
            'x="max-age=5, no-store", max-age=10',
            "max-age=5, stale-while-revalidate=30",
            "stale-while-revalidate=300",
            "stale-if-error=100",
            "max-age=5, stale-if-error=10",
            "unknown=1",
            "",
        )
    ),
    max_size=3,
).map(tuple)

SCRIPTS = st.builds(
    Script,
    status=_often(200, 200, 200, 200, 203, 204, 299, 301, 302, 404, 410, 429, 500, 503, 503, 0, 0),
    control=st.one_of(st.just(("max-age=60",)), _CONTROL, st.sampled_from(_STALE).map(lambda value: (value,))),
    date=_often(0, None, -10, -100, 50, "yesterday", ""),
    age=_often(None, None, "0", "7", "100", "-1", "x", "99999999999999999999"),
    expires=_often((), (30,), (0,), (-30,), (5000,), ("0",), ("soon",), (30, 60)),
    etag=st.sampled_from(_ETAGS),
    modified=_MODIFIED_SOMETIMES,
    vary=_often(
        (),
        ("X-Kind",),
        ("Accept-Language",),
        ("x-kind, Accept-Language",),
        ("X-Kind", "accept-language"),
        ("*",),
        ("X-Kind, *",),
    ),
    other=_often(
        (),
        (("Pragma", "no-cache"),),
        (("Location", "/y"),),
        (("Content-Location", "/y"),),
        (("Content-Location", "http://b.test/x"),),
        (("Location", "http://a.test/x"),),
    ),
    conditions=_often("honest", "unchanged", "silent", "ignored"),
    delay_s=_often(0, 1, 8),
)

_REQUEST_CONTROL = _any(
    (("Cache-Control", "no-cache"),),
    (("Cache-Control", "no-store"),),
    (("Cache-Control", "max-age=0"),),
    (("Cache-Control", "max-age=5"),),
    (("Cache-Control", "min-fresh=4"),),
    (("Cache-Control", "max-stale"),),
    (("Cache-Control", "stale-if-error=20"),),
    (("Cache-Control", "max-stale=20"),),
    (("Cache-Control", "only-if-cached"),),
    (("Cache-Control", "only-if-cached, max-stale"),),
    (("Cache-Control", "max-age=x"),),
    (("Cache-Control", "max-age=3, max-stale=10"),),
    (("Pragma", "no-cache"),),
    (("Pragma", "no-cache"), ("Cache-Control", "max-age=50")),
)
_CONDITIONS = _any(
    (("If-None-Match", '"1"'),),
    (("If-None-Match", 'W/"1", "2"'),),
    (("If-None-Match", "*"),),
    (("If-Modified-Since", rfc.date_text(START - 10_000)),),
    (("If-Modified-Since", rfc.date_text(START - 6_000_000)),),
    (("If-Modified-Since", "yesterday"),),
    (("If-Match", '"1"'),),
    (("If-Unmodified-Since", rfc.date_text(START - 10_000)),),
    (("Range", "bytes=0-3"),),
    (("Range", "bytes=-2"),),
    (("Range", "bytes=2-"), ("If-Range", '"1"')),
    (("Range", "bytes=2-4"), ("If-Range", rfc.date_text(START - 10_000))),
)
_KIND = st.sampled_from(((), (("X-Kind", "p"),), (("X-Kind", "q"),)))
_LANGUAGE = st.sampled_from(
    ((), (("Accept-Language", "de, en;q=0.5"),), (("accept-language", "en;q=0.5,DE"),), (("Accept-Language", "fr"),))
)
_AUTHORIZATION = st.sampled_from(((), (), (("Authorization", "Basic bWU="),)))
_WAITS = st.sampled_from((0, 0, 1, 3, 6, 10, 31, 70, 400, 200_000))


@st.composite
def sequences(draw: st.DrawFn) -> list[Step]:
    """Requests that are mostly alike, of resources that mostly stay as they are."""
    usual = draw(SCRIPTS)
    scripts = st.one_of(
        st.just(usual),
        st.sampled_from((replace(usual, status=0), replace(usual, status=503), replace(usual, conditions="unchanged"))),
        SCRIPTS,
    )
    alike = draw(st.tuples(_KIND, _LANGUAGE, _AUTHORIZATION).map(_joined))
    selecting = st.one_of(st.just(alike), st.just(alike), st.tuples(_KIND, _LANGUAGE, _AUTHORIZATION).map(_joined))
    special = st.one_of(
        st.just(()), _REQUEST_CONTROL, _CONDITIONS, st.tuples(_REQUEST_CONTROL, _CONDITIONS).map(_joined)
    )
    steps = st.builds(
        Step,
        wait_s=_WAITS,
        method=_often("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"),
        url=st.sampled_from((URLS[0],) * 5 + (URLS[1], *URLS)),
        fields=st.tuples(special, selecting).map(_joined),
        script=scripts,
        in_place=st.booleans(),
    )
    return draw(st.lists(steps, min_size=2, max_size=LENGTH))


def _joined(parts: tuple[tuple[tuple[str, str], ...], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(item for part in parts for item in part)
