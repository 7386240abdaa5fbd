"""Which variant of a resource a stored response is (RFC 9111 §4.1)."""

import hashlib
from collections.abc import Sequence

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import FieldList, RequestHead, ResponseHead, get_all

_SECRET = frozenset({b"authorization", b"cookie", b"proxy-authorization"})
_UNORDERED = frozenset({b"accept", b"accept-charset", b"accept-encoding", b"accept-language"})
"""Lists of alternatives: neither their order (weights decide) nor the case of their tokens has a meaning."""


def varied_names(response: ResponseHead) -> list[bytes]:
    """The request fields that the response was selected by, in lower case; `*` among them matches nothing."""
    return _names(response.get_all(b"vary"))


def _names(lines: Sequence[bytes]) -> list[bytes]:
    return [name.strip().lower() for line in lines for name in line.split(b",") if name.strip()]


def varies_always(response: ResponseHead) -> bool:
    """No later request matches a response with `Vary: *`."""
    return b"*" in varied_names(response)


def selecting_fields(request: RequestHead, response: ResponseHead) -> FieldList:
    """The fields of the request to keep with the stored response, normalised; secrets only as a digest."""
    names = dict.fromkeys(varied_names(response))
    return [(name, value) for name in names if (value := _normalised(request, name)) is not None]


def matches(request: RequestHead, entry: StoredEntry) -> bool:
    """Whether the stored response may be selected for the request."""
    kept = dict(entry.request.fields)
    names = _names(get_all(entry.response.fields, b"vary"))
    return all(name != b"*" and _normalised(request, name) == kept.get(name) for name in names)


def _normalised(request: RequestHead, name: bytes) -> bytes | None:
    values = get_all(request.fields, name)
    if not values:
        return None
    if name in _SECRET:
        return hashlib.sha256(b"\0".join(values)).hexdigest().encode()
    members = [member.strip() for value in values for member in value.split(b",")]
    if name in _UNORDERED:
        members = sorted(member.lower().replace(b" ", b"") for member in members)
    return b",".join(members)
