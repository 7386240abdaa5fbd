"""What came of each URL, and of all together."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from sluicegate.core.caching.wording import BY_TOKEN, SENTENCES
from sluicegate.warming.lists import Wanted

VERSION = 1
"""Of the JSON document."""
_FIRST_ERROR = 400


class Outcome(StrEnum):
    """What came of a URL."""

    STORED = "stored"
    CONFIRMED = "confirmed"
    """What was stored was stale, and the origin said that it is still good."""
    FRESH = "fresh"
    """Stored and fresh already: nobody was asked."""
    NOT_CACHEABLE = "not_cacheable"
    FAILED = "failed"
    TO_FETCH = "to_fetch"
    """Only looked at: the origin would be asked."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What the engine noted of a request: the members of its `Call`, and the status and length of the answer."""

    status: int
    cache: str
    reason: str
    stored: bool
    error: str = ""
    """Why there is no whole answer from the origin, for people."""
    body_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """A URL and what came of it; `why` for those of which nothing is stored."""

    wanted: Wanted
    outcome: Outcome
    why: str = ""
    body_bytes: int = 0


def result_of(wanted: Wanted, noted: Noted) -> Result:
    """What came of a URL that was asked for."""
    if noted.error:
        return Result(wanted, Outcome.FAILED, noted.error, noted.body_bytes)
    if noted.status >= _FIRST_ERROR:
        return Result(wanted, Outcome.FAILED, f"The origin answered {_named(noted.status)}", noted.body_bytes)
    if noted.cache == "stale":
        return Result(wanted, Outcome.FAILED, sentence_of(noted.reason), noted.body_bytes)
    if noted.cache == "revalidated":
        return Result(wanted, Outcome.CONFIRMED, body_bytes=noted.body_bytes)
    if noted.stored:
        return Result(wanted, Outcome.STORED, body_bytes=noted.body_bytes)
    if noted.cache in {"hit", "collapsed"}:
        return Result(wanted, Outcome.FRESH, body_bytes=noted.body_bytes)
    return Result(wanted, Outcome.NOT_CACHEABLE, noted.reason, noted.body_bytes)


@dataclass(slots=True)
class Summary:
    """A run as it goes, and at its end."""

    total: int = 0
    problems: list[str] = field(default_factory=list)
    """Lines and sitemaps that could not be read, and URLs that the cache would never see."""
    warnings: list[str] = field(default_factory=list)
    """What else went wrong: a store that fails, say."""
    skipped: int = 0
    """Tried by the run before, which was interrupted."""
    interrupted: bool = False
    body_bytes: int = 0
    counts: Counter[Outcome] = field(default_factory=Counter)
    not_cacheable: dict[str, list[str]] = field(default_factory=dict)
    """Reason -> URLs."""
    failed: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count one more."""
        self.counts[result.outcome] += 1
        self.body_bytes += result.body_bytes
        if result.outcome is Outcome.NOT_CACHEABLE:
            self.not_cacheable.setdefault(result.why, []).append(result.wanted.url)
        elif result.outcome is Outcome.FAILED:
            self.failed.append(result)

    @property
    def tried(self) -> int:
        """How many have ended."""
        return self.counts.total()

    @property
    def good(self) -> bool:
        """Nothing failed and every line could be read."""
        return not (self.failed or self.problems)

    def document(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {
            "version": VERSION,
            "total": self.total,
            "tried": self.tried,
            "skipped": self.skipped,
            "interrupted": self.interrupted,
            "body_bytes": self.body_bytes,
            **{outcome.value: self.counts[outcome] for outcome in Outcome},
            "reasons": [
                {"reason": token, "section": section_of(token), "text": sentence_of(token), "urls": urls}
                for token, urls in self.not_cacheable.items()
            ],
            "failures": [
                {"url": result.wanted.url, "place": result.wanted.place, "why": result.why} for result in self.failed
            ],
            "problems": self.problems,
            "warnings": self.warnings,
        }


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def sentence_of(token: str) -> str:
    """The cache's reason in a sentence."""
    reason = BY_TOKEN.get(token)
    return "The store could not keep it." if reason is None else SENTENCES[reason]


def section_of(token: str) -> str | None:
    """Where the cache's reason is written."""
    reason = BY_TOKEN.get(token)
    return None if reason is None else reason.section
