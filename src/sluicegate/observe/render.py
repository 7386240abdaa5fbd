"""From events to lines: JSON for machines, text for a terminal.

The `access` line is assembled by hand, because there is one for every request. All others come through structlog as an
event dict whose values are masked already (`log`), and are rendered by the same object.
"""

import json
import time
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Protocol

from structlog.typing import EventDict

from sluicegate.core.events import Access
from sluicegate.core.text import clean, clip, human_bytes, human_seconds, printable
from sluicegate.observe.mask import mask_url
from sluicegate.observe.records import NOTICEABLE_WAIT_S

quote = json.encoder.encode_basestring_ascii
"""A str as a JSON string in printable ASCII: control characters, ESC, bidi marks and U+2028 come out as escapes."""

_LONG_LINE = 16_384
_LONG_URL = 8192
_LONG_TEXT = 1024
_LONG_PIECE = 512
_KEPT_PIECES = 1024
_TENTHS = tuple(f"{number // 10}.{number % 10}" for number in range(1000))
_DIM = "2"
_LEVEL_STYLE = {"debug": _DIM, "info": "36", "warning": "33", "error": "31;1"}
_CACHE_STYLE = {"hit": "32", "collapsed": "32", "revalidated": "32", "stale": "33"}
_STATUS_STYLE = {2: "32", 3: "36", 4: "33", 5: "31"}


class Renderer(Protocol):
    """Makes lines, each with its newline. `wall` is Unix time in seconds."""

    def access(self, event: Access, wall: float) -> str:
        """The line of one finished exchange; the URL is masked here."""

    def rare(self, record: EventDict, wall: float) -> str:
        """Any other line. The record has `level`, `event`, `stage` and `message`, and is masked."""


class Timestamps:
    """Unix seconds to text with milliseconds; what stays the same within a second, or a millisecond, is kept."""

    def __init__(self, pattern: str, convert: Callable[[float], time.struct_time], suffix: str = "") -> None:
        self._pattern = pattern
        self._convert = convert
        self._suffix = suffix
        self._second = (-1, "")
        self._kept = (-1, "")

    def __call__(self, wall: float) -> str:
        now = int(wall * 1000)
        kept, text = self._kept
        if now != kept:
            second, millisecond = divmod(now, 1000)
            text = f"{self._prefix(second)}.{millisecond:03d}{self._suffix}"
            self._kept = (now, text)
        return text

    def _prefix(self, second: int) -> str:
        kept, prefix = self._second
        if second != kept:
            prefix = time.strftime(self._pattern, self._convert(second))
            self._second = (second, prefix)
        return prefix


class JsonLines:
    """One JSON object a line, in ASCII. Times are RFC 3339 in UTC.

    Of an access line, what is the same for many requests is made once: a piece for client and method, and two for all
    that tells one answer from another. They hold the comma and the name of the field that follows.
    """

    def __init__(self) -> None:
        self._timestamp = Timestamps("%Y-%m-%dT%H:%M:%S", time.gmtime, "Z")
        self._askers: dict[tuple[str, str], str] = {}
        self._answers: dict[tuple[str, int, str, str, str, str], tuple[str, str]] = {}

    def access(self, event: Access, wall: float) -> str:
        line = self._access(event, wall)
        return line if len(line) <= _LONG_LINE else self._access(_tidied(event), wall)

    def rare(self, record: EventDict, wall: float) -> str:
        ordered = {"ts": self._timestamp(wall)} | {key: record.pop(key) for key in ("level", "event", "stage")}
        return json.dumps(ordered | dict(record), separators=(",", ":")) + "\n"

    def _access(self, event: Access, wall: float) -> str:
        url = event.url
        if len(url) > _LONG_URL or not url.isascii():
            url = clip(clean(url))
        asker = (event.client, event.method)
        by_whom = self._askers.get(asker) or self._keep(self._askers, asker, _by_whom(event))
        answer = (event.host, event.status, event.cache, event.limit_key, event.error, event.user)
        middle, end = self._answers.get(answer) or self._keep(self._answers, answer, _from_whom(event))
        waited = _milliseconds(event.wait_s) if event.wait_s else "0.0"
        return (
            f'{{"ts":"{self._timestamp(wall)}","level":"info","event":"access","stage":"access"'
            f',"request_id":{_quoted(event.request_id)}{by_whom}{quote(mask_url(url))}{middle}{event.bytes_sent}'
            f',"duration_ms":{_milliseconds(event.duration_s)},"wait_ms":{waited}{end}'
        )

    @staticmethod
    def _keep[K: tuple[object, ...], V](pieces: dict[K, V], key: K, made: V) -> V:
        """Remember a piece, unless it is long; when there are too many, begin again."""
        if sum(len(part) for part in key if isinstance(part, str)) <= _LONG_PIECE:
            if len(pieces) >= _KEPT_PIECES:
                pieces.clear()
            pieces[key] = made
        return made


def _by_whom(event: Access) -> str:
    return f',"client":{_quoted(event.client)},"method":{_quoted(event.method)},"url":'


def _from_whom(event: Access) -> tuple[str, str]:
    """What stands between URL and number of bytes, and what follows the times."""
    end = f',"cache":{_quoted(event.cache)},"limit_key":{_quoted(event.limit_key)}'
    if event.error:
        end += f',"error":{_quoted(event.error)}'
    if event.user:
        end += f',"user":{_quoted(event.user)}'
    return f',"host":{_quoted(event.host)},"status":{event.status},"bytes":', end + "}\n"


def _quoted(text: str) -> str:
    return quote(text if text.isascii() else clean(text))


def _milliseconds(seconds: float) -> str:
    """Milliseconds to a tenth of one. A table is four times as fast as formatting."""
    tenths = int(seconds * 10_000 + 0.5)
    return _TENTHS[tenths] if 0 <= tenths < len(_TENTHS) else f"{seconds * 1000:.1f}"


class TextLines:
    """Lines to be read on a terminal. Times are local; nothing a peer sent can move the cursor or end the line."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._timestamp = Timestamps("%H:%M:%S", time.localtime)

    def access(self, event: Access, wall: float) -> str:
        event = _tidied(event)
        parts = [
            self._style(_DIM, self._timestamp(wall)),
            self._style(_STATUS_STYLE.get(event.status // 100, "0"), str(event.status or "---")),
            self._style(_CACHE_STYLE.get(event.cache, _DIM), f"{printable(event.cache):<11}"),
            printable(event.method),
            printable(mask_url(event.url)),
            self._style(_DIM, f"{human_bytes(event.bytes_sent)} in {human_seconds(event.duration_s)}"),
        ]
        if event.wait_s >= NOTICEABLE_WAIT_S:
            parts.append(self._style("33", f"waited {human_seconds(event.wait_s)}"))
        if event.error:
            parts.append(self._style("31", printable(event.error)))
        return " ".join(parts) + "\n"

    def rare(self, record: EventDict, wall: float) -> str:
        level, event, stage, message = (str(record.pop(key, "")) for key in ("level", "event", "stage", "message"))
        parts = [
            self._style(_DIM, self._timestamp(wall)),
            self._style(_LEVEL_STYLE.get(level, "0"), f"{level.upper():<7}"),
            f"{printable(stage)} {printable(event)}{':' if message else ''}",
            *([printable(message)] if message else []),
            *(self._style(_DIM, f"{printable(key)}={_plain(value)}") for key, value in record.items()),
        ]
        return " ".join(parts) + "\n"

    def _style(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _plain(value: object) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _tidied(event: Access) -> Access:
    """The event with every text valid Unicode and of bearable length."""
    texts: dict[str, Any] = {
        field.name: clip(clean(value)) if field.name == "url" else clip(clean(value), _LONG_TEXT)
        for field in fields(event)
        if isinstance(value := getattr(event, field.name), str)
    }
    return replace(event, **texts)
