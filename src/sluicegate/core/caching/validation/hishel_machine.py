"""hishel's RFC 9111 state machine behind our types: the only module that knows hishel's specification part.

hishel keeps no field order or spelling, so its decisions are taken over and its header sections are not: it is shown
*views* of what is stored and received, with the fields it decides by brought into their plainest form (age as Date,
freshness as `max-age`), and says which entries to use, update or remove.

Where it is right it is asked: in which order to ask about what is stored (§4.3), which of it a 304 is about (§4.3.4), what
an unsafe request invalidates (§4.4). What it decides differently, or not at all, is decided in the modules beside it:

- `freshness`, `directives`: hishel reads no Age, takes an invalid Expires for none, and the clock from the machine;
- `storing`: it knows neither `must-understand`, nor RFC 9213, nor a cacheable POST, and tells no reason for what it refuses;
- `vary`, `variants`: it compares the fields that Vary names byte by byte, and asks about no variant that was not selected;
- `conditions`, `ranges`, `partial`: it answers no condition and no range of a client's, and completes no part;
- `headers`, `heads`: it stores what Connection lists, and learns nothing from HEAD.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import SimpleNamespace

import hishel
from hishel._core import _spec

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import Control
from sluicegate.core.caching.fields.directives import format_date
from sluicegate.core.http import ResponseHead

_WEAK = b"W/"
_VALIDATORS = (b"etag", b"last-modified")


class _MachineTime:
    """The time that hishel reads: its module asks `time.time()`, and this binds that one module's name `time`."""

    def __init__(self) -> None:
        self.unix_s = 0
        vars(_spec)["time"] = SimpleNamespace(time=lambda: self.unix_s)


_machine_time = _MachineTime()


@dataclass(frozen=True, slots=True)
class Question:
    """What hishel needs to know of a request; what its fields ask for has been dealt with already."""

    method: str
    key: str


@dataclass(frozen=True, slots=True)
class View:
    """A stored entry that matches the request, with its age and the time that it may be used for (seconds)."""

    entry: StoredEntry
    age: int
    lifetime: int
    no_cache: bool

    @property
    def usable(self) -> bool:
        """Whether it may answer without the origin being asked (RFC 9111 §4.2)."""
        return self.age < self.lifetime and not self.no_cache


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the origin: about `candidates`, best first, if there are any. `state` waits for its answer."""

    candidates: list[StoredEntry]
    state: object


@dataclass(frozen=True, slots=True)
class Verdict:
    """What hishel makes of a response: `update` and `remove` are positions among the entries it was shown.

    Whether a response may be stored is decided in `storing`.
    """

    again: bool = False
    update: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()


def validation(question: Question, views: Sequence[View], *, shared: bool, now: float) -> Ask:
    """In which order to ask about entries of which none may be used unasked (RFC 9111 §4.3)."""
    _machine_time.unix_s = int(now)
    entries = [_entry(question, position, view, int(now)) for position, view in enumerate(views)]
    state = hishel.IdleClient(options=_options(shared=shared)).next(_request(question), entries)
    asked = state.revalidating_entries if isinstance(state, hishel.NeedRevalidation) else []
    return Ask([views[found.id.int].entry for found in asked], state)


def miss(question: Question, shown: Sequence[StoredEntry], *, shared: bool) -> object:
    """The state of a request that is sent on as it is; an unsafe one may invalidate what is `shown` (§4.4)."""
    views = [View(entry, age=0, lifetime=0, no_cache=True) for entry in shown]
    entries = [_entry(question, position, view, 0) for position, view in enumerate(views)]
    return hishel.IdleClient(options=_options(shared=shared)).next(_request(question), entries)


def answer(state: object, response: ResponseHead, control: Control) -> Verdict:
    """Give the origin's response to the state that waits for it (RFC 9111 §3, §4.3.3, §4.4).

    `control` is the response's, as it is to be obeyed. Raises TypeError for a state that waits for nothing.
    """
    if not isinstance(state, hishel.CacheMiss | hishel.NeedRevalidation):
        raise TypeError(f"no state that waits for a response: {state!r}")
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR and isinstance(state, hishel.NeedRevalidation):
        # hishel has an error end all stored responses but the oldest; it says nothing of any.
        return Verdict()
    if response.status == HTTPStatus.NOT_MODIFIED and isinstance(state, hishel.NeedRevalidation):
        tag = response.get(b"etag") or b""
        if tag.startswith(_WEAK) and (verdict := _weakly_validated(state, tag)) is not None:
            return verdict
    following: hishel.AnyState = state.next(_response(response, control))
    removed: list[int] = []
    while isinstance(following, hishel.InvalidateEntries):
        removed += [entry_id.int for entry_id in following.entry_ids]
        following = following.next()
    match following:
        case hishel.NeedToBeUpdated():
            updated = tuple(entry.id.int for entry in following.updating_entries)
            return Verdict(update=updated, remove=tuple(removed))
        case hishel.CacheMiss():
            return Verdict(again=True, remove=tuple(removed))
        case _:
            return Verdict(remove=tuple(removed))


def _weakly_validated(state: hishel.NeedRevalidation, tag: bytes) -> Verdict | None:
    """What a 304 with a weak tag is about: the most recent response with that tag (§4.3.4), of which hishel does not ask.

    None where nothing that is stored has a tag, so that nothing speaks against any.
    """
    stored = [(entry, entry.response.headers.get("etag", "")) for entry in state.revalidating_entries]
    if not any(own for _, own in stored):
        return None
    opaque = tag.decode("latin-1").removeprefix("W/")
    for entry, own in stored:
        if own.removeprefix("W/") == opaque:
            return Verdict(update=(entry.id.int,))
    return Verdict(again=True, remove=tuple(entry.id.int for entry, _ in stored))


def _options(*, shared: bool) -> hishel.CacheOptions:
    return hishel.CacheOptions(shared=shared, supported_methods=["GET"], allow_stale=False)


def _request(question: Question) -> hishel.Request:
    return hishel.Request(question.method, question.key)


def _entry(question: Question, position: int, view: View, now: int) -> hishel.Entry:
    headers = _headers(view.entry.response, _VALIDATORS)
    headers["date"] = format_date(now - view.age).decode()
    headers["cache-control"] = f"max-age={view.lifetime}" + (", no-cache" if view.no_cache else "")
    return hishel.Entry(
        id=uuid.UUID(int=position),
        request=_request(question),
        response=hishel.Response(view.entry.response.status, hishel.Headers(headers)),
    )


def _response(response: ResponseHead, control: Control) -> hishel.Response:
    headers = _headers(response, (*_VALIDATORS, b"expires") if control.heeds_expires else _VALIDATORS)
    if control.directives.values:
        headers["cache-control"] = control.directives.serialised()
    return hishel.Response(response.status, hishel.Headers(headers))


def _headers(response: ResponseHead, names: Sequence[bytes]) -> dict[str, str]:
    """The first line of each named field."""
    kept: dict[str, str] = {}
    for name, value in response.fields:
        if (lower := name.lower()) in names:
            kept.setdefault(lower.decode(), value.decode("latin-1"))
    return kept
