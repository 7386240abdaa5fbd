"""How loud each event is, and what a line says about it. The hot `access` line is rendered by itself (`render`)."""

import logging
from dataclasses import dataclass

from sluicegate.core.events import (
    Abandoned,
    Access,
    CacheDecided,
    Event,
    Level,
    Notice,
    Permitted,
    Rejected,
    Stage,
    UpstreamAnswered,
    UpstreamFailed,
)

SEVERITY = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}
"""The levels as numbers that compare."""

type RareEvent = Permitted | Rejected | Abandoned | CacheDecided | UpstreamAnswered | UpstreamFailed | Notice
"""Every event but `Access`."""

NOTICEABLE_WAIT_S = 0.001
"""Seconds; a shorter wait is none to a reader."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line to be: `fields` are plain values, still unmasked."""

    stage: Stage
    event: str
    fields: dict[str, object]
    message: str = ""


_LEVELS: dict[type, Level] = {
    CacheDecided: Level.DEBUG,
    UpstreamAnswered: Level.DEBUG,
    Rejected: Level.WARNING,
    UpstreamFailed: Level.WARNING,
    Access: Level.INFO,
    Abandoned: Level.INFO,
}


def highest_level(kind: type[Event]) -> Level:
    """The most severe level that an event of this class can have."""
    return Level.INFO if kind is Permitted else _LEVELS.get(kind, Level.ERROR)


def level_of(event: Event) -> Level:
    """The level an event is logged at."""
    if (level := _LEVELS.get(type(event))) is not None:
        return level
    if isinstance(event, Notice):
        return event.level
    return Level.INFO if isinstance(event, Permitted) and event.wait_s >= NOTICEABLE_WAIT_S else Level.DEBUG


def record_of(event: RareEvent) -> Record:
    """What the line of an event says, in the order of its fields."""
    match event:
        case Permitted():
            return _limiter(
                "permit",
                event,
                wait_ms=milliseconds(event.wait_s),
                queue=event.queue_length,
                in_flight=event.in_flight,
            )
        case Rejected():
            return _limiter(
                "reject",
                event,
                why=event.why,
                retry_after_s=round(event.retry_after_s, 3),
                queue=event.queue_length,
            )
        case Abandoned():
            return _limiter("abandon", event, wait_ms=milliseconds(event.wait_s))
        case CacheDecided():
            fields = {
                "request_id": event.request_id,
                "url": event.url,
                "outcome": event.outcome,
                "reason": event.reason,
                "section": event.section,
                "stored": event.stored,
            }
            return Record(Stage.CACHE, "cache", fields)
        case UpstreamAnswered():
            fields = {
                "request_id": event.request_id,
                "host": event.host,
                "status": event.status,
                "duration_ms": milliseconds(event.duration_s),
                "reused": event.reused,
            }
            return Record(Stage.UPSTREAM, "response", fields)
        case UpstreamFailed():
            fields = {"request_id": event.request_id, "host": event.host, "error": event.error}
            return Record(Stage.UPSTREAM, "failure", fields, event.message)
        case Notice():
            return Record(event.stage, event.event, event.fields, event.message)


def milliseconds(seconds: float) -> float:
    """Milliseconds to a tenth of one."""
    return round(seconds * 1000, 1)


def _limiter(name: str, event: Permitted | Rejected | Abandoned, **fields: object) -> Record:
    common: dict[str, object] = {"request_id": event.request_id, "host": event.host, "limit_key": event.limit_key}
    return Record(Stage.LIMITER, name, common | fields)
