"""Which variant of a resource a stored response is (RFC 9111 §4.1)."""

import hashlib
from collections.abc import Iterator, Sequence

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.selection import alternatives
from sluicegate.core.http import FieldList, RequestHead, ResponseHead, get_all

_SECRET = frozenset({b"authorization", b"cookie", b"proxy-authorization"})
MAX_NAMES = 64
"""Members of Vary that are heeded; a response with more is taken to vary by anything, for each is looked for in requests."""
MAX_SELECTIONS = 16
"""Requests, different in what Vary names, that are known to select the same stored response."""
_OR = b":or"
"""Stands between what two of them had. The colon cannot stand in a field's name."""
_LANGUAGE = b"accept-language"
_ALTERNATIVES = frozenset({b"accept", b"accept-charset", b"accept-encoding", _LANGUAGE})


def varied_names(response: ResponseHead) -> list[bytes]:
    """The request fields that the response was selected by, in lower case; `*` among them matches nothing."""
    return _names(response.get_all(b"vary"))


def _names(lines: Sequence[bytes]) -> list[bytes]:
    if not lines:
        return []
    members = [member for line in lines for member in line.split(b",", MAX_NAMES)]
    if len(members) > MAX_NAMES:
        return [b"*"]
    return [name for member in members if (name := member.strip().lower())]


def varies_always(response: ResponseHead) -> bool:
    """No later request matches a response with `Vary: *`."""
    return b"*" in _names(response.get_all(b"vary"))


def selecting_fields(request: RequestHead, response: ResponseHead) -> FieldList:
    """The fields of the request to keep with the stored response, normalised; secrets only as a digest."""
    names = dict.fromkeys(varied_names(response))
    return [(name, value) for name in names if (value := normalised(request, name)) is not None]


def reselected(entry: StoredEntry, request: RequestHead, response: ResponseHead) -> RequestHead:
    """The entry's request, once the origin has confirmed for `request` what is stored, whose head is `response` now.

    What selected it before still does, if Vary has not changed; the request that it was confirmed for does so now, too.
    """
    kept, names = entry.request.fields, varied_names(response)
    notes = [item for item in kept if item[0].startswith(b":") and item[0] != _OR]
    if names == _names(get_all(entry.response.fields, b"vary")):
        if matches(request, entry):
            return entry.request
        before = _selections([item for item in kept if item not in notes])[1 - MAX_SELECTIONS :]
        merged = [item for selection in before for item in (*selection.items(), (_OR, b""))]
        return entry.request.with_fields([*notes, *merged, *selecting_fields(request, response)])
    return entry.request.with_fields([*notes, *selecting_fields(request, response)])


def matches(request: RequestHead, entry: StoredEntry) -> bool:
    """Whether the stored response may be selected for the request."""
    return next(differing(request, entry), None) is None


def differing(request: RequestHead, entry: StoredEntry) -> Iterator[bytes]:
    """The members of the stored response's Vary that speak against its selection for the request."""
    selections = _selections(entry.request.fields)
    for selection in selections[:-1]:
        if next(_unlike(request, entry, selection), None) is None:
            return
    yield from _unlike(request, entry, selections[-1])


def _selections(kept: FieldList) -> list[dict[bytes, bytes]]:
    """The fields of each request that selected a stored response, the latest last."""
    fields = dict(kept)
    if _OR not in fields:
        return [fields]
    found: list[dict[bytes, bytes]] = [{}]
    for name, value in kept:
        if name == _OR:
            found.append({})
        else:
            found[-1][name] = value
    return found


def _unlike(request: RequestHead, entry: StoredEntry, selection: dict[bytes, bytes]) -> Iterator[bytes]:
    for name in _names(get_all(entry.response.fields, b"vary")):
        asked, was_asked = normalised(request, name), selection.get(name)
        if name == b"*" or (asked != was_asked and not (name == _LANGUAGE and _same_language(asked, was_asked, entry))):
            yield name


def normalised(request: RequestHead, name: bytes) -> bytes | None:
    """The value that is compared for a field (lower case), None without one; that of a secret is a digest."""
    values = get_all(request.fields, name)
    if not values:
        return None
    if name in _SECRET:
        return hashlib.sha256(b"\0".join(values)).hexdigest().encode()
    if name in _ALTERNATIVES:
        return alternatives.plainest(tuple(values))
    return b",".join([member.strip() for value in values for member in value.split(b",")])


def _same_language(asked: bytes | None, kept: bytes | None, entry: StoredEntry) -> bool:
    """Whether the stored language is what both lists of languages rank first, the new one above all others.

    Such requests choose the same representation by the weights that the field is defined to have (RFC 9110 §12.5.4),
    which §4.1 lets a cache rank by. That holds only if the origin says which language it chose, and chose a first choice:
    then it is known to go by them.
    """
    told = get_all(entry.response.fields, b"content-language")
    if asked is None or kept is None or len(told) != 1:
        return False
    language = told[0].strip().lower()
    return alternatives.first_choices(asked) == {language} and language in alternatives.first_choices(kept)
