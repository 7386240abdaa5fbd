"""What RFC 9111 says of one message or of one stored response, in the plainest words: no speed, no shortcuts.

Nothing here comes from the cache that is tested: dates are read by the standard library, directives by hand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

HEURISTICALLY_CACHEABLE = (200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501)
"""RFC 9110 §15.1."""
ERRORS = (500, 502, 503, 504)
"""RFC 5861 §4."""
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
"""RFC 9110 §9.2.1."""
FOREVER = 2**31
"""RFC 9111 §1.2.2."""

type Fields = list[tuple[str, str]]


def lines(fields: Fields, name: str) -> list[str]:
    """The field's lines."""
    return [value for key, value in fields if key.lower() == name.lower()]


def first(fields: Fields, name: str) -> str | None:
    found = lines(fields, name)
    return found[0] if found else None


def members(fields: Fields, name: str) -> list[str]:
    """The members of a list field that has no quoted strings."""
    return [member.strip() for line in lines(fields, name) for member in line.split(",") if member.strip()]


def directives(fields: Fields) -> list[tuple[str, str | None]]:
    """Cache-Control, every directive in order."""
    found: list[tuple[str, str | None]] = []
    for line in lines(fields, "Cache-Control"):
        for member in _split(line):
            name, equals, value = member.strip().partition("=")
            if name:
                found.append((name.lower(), value.strip('"') if equals else None))
    return found


def _split(line: str) -> Iterable[str]:
    """At the commas outside of quotes."""
    member, quoted = "", False
    for character in line:
        if character == '"':
            quoted = not quoted
        if character == "," and not quoted:
            yield member
            member = ""
        else:
            member += character
    yield member


def has(fields: Fields, name: str) -> bool:
    """The directive stands there without a value, or with one where that makes no difference."""
    return any(key == name for key, _ in directives(fields))


def unqualified(fields: Fields, name: str) -> bool:
    return any(key == name and value is None for key, value in directives(fields))


def listed(fields: Fields, name: str) -> list[str]:
    """The field names of the qualified form."""
    return [
        part.strip().lower() for key, value in directives(fields) if key == name and value for part in value.split(",")
    ]


def seconds(fields: Fields, name: str) -> list[int]:
    """The values of all occurrences; 0 for one that is no number of seconds (§4.2.1: treat as stale)."""
    values = [value or "" for key, value in directives(fields) if key == name]
    return [min(int(value), FOREVER) if value.isascii() and value.isdigit() else 0 for value in values]


def date(value: str | None) -> int | None:
    """An HTTP date as Unix seconds; None where it is none."""
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def date_text(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


@dataclass
class Version:
    """The head of a stored response, as it was received or as a 304 has made it."""

    status: int
    fields: Fields
    request_time: int
    response_time: int
    mark: str
    """What tells this version from others."""
    asked: Fields
    """What the request said that it was selected by."""

    def generated(self) -> int:
        """When it was generated; when it came, if it does not say (RFC 9110 §6.6.1)."""
        told = date(first(self.fields, "Date"))
        return self.response_time if told is None else told

    def age(self, now: int) -> int:
        """§4.2.3, step by step."""
        told = first(self.fields, "Age") or ""
        age_value = min(int(told), FOREVER) if told.isascii() and told.isdigit() else 0
        apparent_age = max(0, self.response_time - self.generated())
        response_delay = self.response_time - self.request_time
        corrected_age_value = age_value + response_delay
        corrected_initial_age = max(apparent_age, corrected_age_value)
        resident_time = now - self.response_time
        return corrected_initial_age + resident_time

    def lifetime(self, *, shared: bool) -> tuple[int, int]:
        """§4.2.1: the shortest and the longest that a cache may take it for (§4.2.1 on duplicates, §4.2.2)."""
        for name in ("s-maxage", "max-age") if shared else ("max-age",):
            if values := seconds(self.fields, name):
                return (values[0] if len(set(values)) == 1 else 0), values[0]
        if told := lines(self.fields, "Expires"):
            until = [date(value) for value in told]
            ends = [0 if moment is None else max(0, moment - self.generated()) for moment in until]
            return (ends[0] if len(set(ends)) == 1 else 0), ends[0]
        modified = date(first(self.fields, "Last-Modified"))
        may_guess = self.status in HEURISTICALLY_CACHEABLE or has(self.fields, "public")
        if modified is None or not may_guess:
            return 0, 0
        return 0, max(0, (self.generated() - modified) // 10)

    def never_stale(self, *, shared: bool) -> bool:
        """§4.2.4: what it says forbids to use it stale."""
        names = ["must-revalidate", "proxy-revalidate", "s-maxage"] if shared else ["must-revalidate"]
        return any(has(self.fields, name) for name in names) or self.must_ask()

    def must_ask(self) -> bool:
        """§5.2.2.4."""
        return unqualified(self.fields, "no-cache")

    def validators(self) -> bool:
        return first(self.fields, "ETag") is not None or date(first(self.fields, "Last-Modified")) is not None

    def matches(self, fields: Fields) -> tuple[bool, bool]:
        """§4.1: whether it surely matches a request, and whether it may."""
        surely = may = True
        for name in members(self.fields, "Vary"):
            then, now = lines(self.asked, name), lines(fields, name)
            if name == "*" or (not then) != (not now):
                return False, False
            if then != now:
                surely = False
                may = may and _same_meaning(then, now)
        return surely, may

    def after(self, news: Fields, asked: Fields, times: tuple[int, int]) -> "list[Version]":
        """What a 304 to a request that said `asked` makes of it (§3.2).

        Where the 304 changes Vary, either request may be the one that it was selected by.
        """
        mark = first(news, "X-Mark") or ""
        fields = updated(self.fields, news, times[1])
        return [Version(self.status, fields, *times, mark, selecting) for selecting in (self.asked, asked)]

    def strong_etag(self) -> str | None:
        etag = first(self.fields, "ETag")
        return etag if etag is not None and not etag.startswith("W/") else None


@dataclass
class Record:
    """A response that the cache may have stored."""

    serial: str
    url: str
    method: str
    body: bytes
    versions: list[Version]
    """What it may be by now; more than one where the RFC leaves it to the cache."""
    expected: bool
    """A good cache has it; otherwise it may."""
    invalid: bool = False
    """It must be validated before it is used (§4.4)."""

    def surely_matches(self, fields: Fields) -> bool:
        return all(version.matches(fields)[0] for version in self.versions)

    def may_match(self, fields: Fields) -> bool:
        return any(version.matches(fields)[1] for version in self.versions)


def _same_meaning(one: list[str], other: list[str]) -> bool:
    """Whether two lists of alternatives are the same but for order, case and space."""

    def plain(values: list[str]) -> list[str]:
        return sorted(part.replace(" ", "").lower() for value in values for part in value.split(","))

    return plain(one) == plain(other)


def may_store(method: str, asked: Fields, status: int, fields: Fields, *, shared: bool, url: str) -> str:
    """§3: why a response must not be stored; empty if it may be."""
    if method == "POST":
        # RFC 9110 §9.3.3: explicit freshness, and a Content-Location that is the target.
        explicit = any(has(fields, name) for name in ("max-age", "s-maxage")) or lines(fields, "Expires")
        if first(fields, "Content-Location") not in (url, "/" + url.split("/", 3)[3]) or not explicit:
            return "a POST whose response is not explicitly cacheable"
    elif method != "GET":
        return f"{method} is not cacheable"
    if status < 200 or status in (206, 304, 428, 429, 431, 511):
        # RFC 6585 for the last four.
        return f"status {status}"
    understood = has(fields, "must-understand") and status != 299
    if has(fields, "must-understand") and not understood:
        return "must-understand of a status that nobody knows"
    if has(fields, "no-store") and not understood:
        return "no-store"
    if has(asked, "no-store"):
        return "no-store of the request"
    if shared and unqualified(fields, "private"):
        return "private"
    if shared and lines(asked, "Authorization") and not authorized_may_be_shared(fields):
        return "Authorization"
    said = ("public", "max-age", "s-maxage") if shared else ("public", "private", "max-age")
    if status in HEURISTICALLY_CACHEABLE or any(has(fields, name) for name in said) or lines(fields, "Expires"):
        return ""
    return "nothing allows it"


def authorized_may_be_shared(fields: Fields) -> bool:
    """§3.5."""
    return any(has(fields, name) for name in ("must-revalidate", "public", "s-maxage"))


def updated(stored: Fields, news: Fields, response_time: int) -> Fields:
    """§3.2: the stored fields with those of a 304 that came at that time; Age is that of the 304 or none."""
    if date(first(news, "Date")) is None:
        # RFC 9110 §6.6.1.
        news = [item for item in news if item[0] != "Date"] + [("Date", date_text(response_time))]
    etag, own = first(news, "ETag") or "", first(stored, "ETag") or ""
    names = {name.lower() for name, _ in news} | {"age"}
    names -= {"content-encoding", "content-type", "content-range", "content-length"}
    if own == "W/" + etag:
        # It says that the content is equivalent, not that it is the same.
        names.remove("etag")
    return [item for item in stored if item[0].lower() not in names] + [
        item for item in news if item[0].lower() in names
    ]
