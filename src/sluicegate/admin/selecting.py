"""Which stored responses a request to the admin API means: query parameters or JSON as a `Selection`."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sluicegate.config import leaf, values
from sluicegate.config.leaf import Unacceptable
from sluicegate.config.quantities import parse_duration
from sluicegate.errors import NotAUrl
from sluicegate.upkeep.selection import Selection


def _text(value: Any) -> str:
    """Text that can be written down: JSON may have halves of characters. Raises Unacceptable."""
    text = leaf.text(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unacceptable("is no Unicode text") from None
    return text


_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "url": ("url", leaf.text),
    "prefix": ("prefix", leaf.text),
    "host": ("host", values.host_pattern),
    "tag": ("tag", _text),
    "older_than": ("older_than_s", parse_duration),
    "newer_than": ("newer_than_s", parse_duration),
}
"""Name → the condition it sets, and how its value is read."""
_MOST = 1_000_000
_DIGITS = len(str(_MOST))


class BadSelection(Exception):
    """Nothing can be meant by this; the message is a sentence that says why."""


def listing_of(arguments: Mapping[str, Sequence[bytes]]) -> tuple[Selection, int | None]:
    """What a query asks to be listed, and how many at most. Raises BadSelection."""
    given = {name: _single(name, found) for name, found in arguments.items()}
    limit = given.pop("limit", None)
    if limit is not None and not (
        limit.isascii() and limit.isdigit() and len(limit) <= _DIGITS and 0 < int(limit) <= _MOST
    ):
        raise BadSelection(f"limit is no whole number from 1 to {_MOST}.")
    return _selection(given, also=("limit",)), None if limit is None else int(limit)


def purge_of(body: bytes) -> Selection:
    """What a JSON document asks to be removed: conditions, or `"all": true`. Raises BadSelection."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise BadSelection('The body is no JSON object such as {"host": "example.org"}.')
    everything = given.pop("all", False)
    if not isinstance(everything, bool):
        raise BadSelection("all is neither true nor false.")
    if everything and given:
        raise BadSelection("all goes with no condition.")
    if not (everything or given):
        raise BadSelection('No condition is given. To remove everything, say so: {"all": true}')
    return _selection(given, also=("all",))


def _selection(given: Mapping[str, Any], also: tuple[str, ...]) -> Selection:
    conditions: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _READERS:
            raise BadSelection(f"There is no {name[:40]!r} here, but {', '.join((*_READERS, *also))}.")
        condition, read = _READERS[name]
        try:
            conditions[condition] = read(value)
        except Unacceptable as error:
            raise BadSelection(f"{name} {error}.") from None
    selection = Selection(**conditions)
    for name in ("url", "prefix"):
        _check_url(name, getattr(selection, name))
    return selection


def _check_url(name: str, value: str | None) -> None:
    if value is None:
        return
    try:
        Selection(url=value).key_prefix()
    except NotAUrl as error:
        raise BadSelection(f"{name}: {error} {error.advice}") from None


def _single(name: str, found: Sequence[bytes]) -> str:
    if len(found) != 1:
        raise BadSelection(f"{name[:40]} stands there twice.")
    return found[0].decode("utf-8", "replace")
