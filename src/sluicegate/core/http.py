"""The nouns of HTTP as plain data: URLs, header lists, heads of messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

type Field = tuple[bytes, bytes]
type FieldList = list[Field]
"""A header section as it was on the wire: order, case and repetition kept."""

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields that concern one connection only (RFC 9110 §7.6.1). `Trailer` travels on, as trailers do."""

CONNECTION_FIELDS = frozenset({b"connection", b"proxy-connection"})
_HARMLESS_OPTIONS = HOP_BY_HOP | {b"close"}
"""Connection options that name no field, or one that goes no further anyway."""

DEFAULT_PORTS = {"http": 80, "https": 443}
_NONE: list[bytes] = []


@dataclass(frozen=True, slots=True)
class Origin:
    """Who answers: scheme, host (lower case, no brackets) and port (RFC 9110 §4.3.1)."""

    scheme: str
    host: str
    port: int
    authority: str = field(init=False, repr=False, compare=False)
    """`host` or `host:port`, as Host carries it: brackets around IPv6, no default port."""
    text: str = field(init=False, repr=False, compare=False)
    """`scheme://authority`; both are made once, since every request asks for them several times."""

    def __post_init__(self) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        authority = host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "text", f"{self.scheme}://{authority}")

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class RequestHead:
    """A request without its body. `target` is origin-form: path and query as the client wrote them."""

    method: str
    origin: Origin
    target: str
    fields: FieldList = field(default_factory=list)

    @property
    def url(self) -> str:
        """The absolute URL."""
        return self.origin.text + self.target

    def with_fields(self, fields: FieldList) -> "RequestHead":
        """The same request with another header section."""
        return RequestHead(self.method, self.origin, self.target, fields)


@dataclass(slots=True)
class ResponseHead:
    """A response without its body. Its `fields` are not changed once it is made: other fields are another head."""

    status: int
    reason: bytes
    fields: FieldList = field(default_factory=list)
    _index: dict[bytes, list[bytes]] | None = field(default=None, init=False, repr=False, compare=False)

    def get_all(self, name: bytes) -> list[bytes]:
        """The values of all lines of a field, in order; not to be changed. `name` in lower case."""
        return (self._index or self.index()).get(name, _NONE)

    def get(self, name: bytes) -> bytes | None:
        """A field's combined value, lines joined by a comma (RFC 9110 §5.3), or None. `name` in lower case."""
        values = self.get_all(name)
        return b", ".join(values) if values else None

    def end_to_end(self, drop: frozenset[bytes] = frozenset(), add: Sequence[Field] = ()) -> "ResponseHead":
        """The head with the fields that travel on (RFC 9110 §7.6.1), but for `drop` (lower case), and after them `add`."""
        index = self.index()
        gone = HOP_BY_HOP.intersection(index)
        if drop:
            gone |= drop.intersection(index)
        if not (gone or add):
            return self
        kept, noted = self.fields, dict(index)
        if gone:
            options = index.get(b"connection", _NONE) + index.get(b"proxy-connection", _NONE)
            gone, lengths = _with_members(gone, *options)
            kept = [item for item in kept if len(item[0]) not in lengths or item[0].lower() not in gone]
            for name in gone:
                noted.pop(name, None)
        for name, value in add:
            lower = name.lower()
            noted[lower] = [*noted[lower], value] if lower in noted else [value]
        head = ResponseHead(self.status, self.reason, [*kept, *add])
        head._index = noted
        return head

    def anew(self) -> "ResponseHead":
        """The same without what was noted for `get_all`: for a head that is kept long."""
        return ResponseHead(self.status, self.reason, self.fields)

    def index(self) -> dict[bytes, list[bytes]]:
        """The values of each field by its name in lower case, not to be changed: made once, for there are many questions."""
        if self._index is not None:
            return self._index
        index = {name.lower(): [value] for name, value in self.fields}
        if len(index) < len(self.fields):
            index = _gathered(self.fields)
        self._index = index
        return index


def _gathered(fields: FieldList) -> dict[bytes, list[bytes]]:
    """The values of each field by its name in lower case, where some have several lines."""
    index: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        index.setdefault(name.lower(), []).append(value)
    return index


def get_all(fields: FieldList, name: bytes) -> list[bytes]:
    """The values of all lines of a field, in order. `name` in lower case."""
    length = len(name)
    return [value for key, value in fields if len(key) == length and key.lower() == name]


def get(fields: FieldList, name: bytes) -> bytes | None:
    """A field's combined value, lines joined by a comma (RFC 9110 §5.3), or None. `name` in lower case."""
    values = get_all(fields, name)
    return b", ".join(values) if values else None


def without(fields: FieldList, names: Iterable[bytes]) -> FieldList:
    """The fields but for those named (lower case)."""
    dropped = frozenset(names)
    return [item for item in fields if item[0].lower() not in dropped]


def connection_options(fields: FieldList) -> frozenset[bytes]:
    """The names that Connection and Proxy-Connection list, in lower case (RFC 9110 §7.6.1)."""
    return frozenset(
        option for name, value in fields if name.lower() in CONNECTION_FIELDS for option in _members(value)
    )


def end_to_end(fields: FieldList, drop: frozenset[bytes] = frozenset()) -> FieldList:
    """The fields that travel on: none that is hop-by-hop, none that Connection lists (RFC 9110 §7.6.1).

    `drop` names more (lower case) to leave out.
    """
    dropped = _hop_by_hop_and(drop)
    kept = [item for item in fields if item[0].lower() not in dropped]
    if len(kept) == len(fields):
        return kept
    listed = [option for name, value in fields if name.lower() in CONNECTION_FIELDS for option in _members(value)]
    named = {option for option in listed if option not in _HARMLESS_OPTIONS}
    return without(kept, named) if named else kept


@lru_cache(maxsize=256)
def _with_members(names: frozenset[bytes], *options: bytes) -> tuple[frozenset[bytes], frozenset[int]]:
    """The names and all that Connection lists, and how long they are; origins say the same few things again and again."""
    gone = names.union(*map(_members, options))
    return gone, frozenset(map(len, gone))


@lru_cache(maxsize=64)
def _hop_by_hop_and(drop: frozenset[bytes]) -> frozenset[bytes]:
    """Callers name the same few sets each time."""
    return HOP_BY_HOP | drop


@lru_cache(maxsize=256)
def _members(value: bytes) -> tuple[bytes, ...]:
    """The members of a list of tokens; connections say the same few things again and again."""
    return tuple(option for member in value.lower().split(b",") if (option := member.strip()))
