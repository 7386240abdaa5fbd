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
_LONG_TEXT = 1024
_DIM = "2"
_LEVEL_STYLE = {"debug": _DIM, "info": "36", "warning": "33", "error": "31;1"}
_CACHE_STYLE = {"hit": "32", "revalidated": "32", "stale": "33"}
_STATUS_STYLE = {2: "32", 3: "36", 4: "33", 5: "31"}


class Renderer(Protocol):
    """Makes lines, each with its newline. `wall` is Unix time in seconds."""

    def access(self, event: Access, wall: float) -> str:
        """The line of one finished exchange; the URL is masked here."""

    def rare(self, record: EventDict, wall: float) -> str:
        """Any other line. The record has `level`, `event`, `stage` and `message`, and is masked."""


class Timestamps:
    """Unix seconds to text with milliseconds; what stays the same within a second is kept."""

    def __init__(self, pattern: str, convert: Callable[[float], time.struct_time], suffix: str = "") -> None:
        self._pattern = pattern
        self._convert = convert
        self._suffix = suffix
        self._kept = (-1, "")

    def __call__(self, wall: float) -> str:
        second = int(wall)
        kept, prefix = self._kept
        if second != kept:
            prefix = time.strftime(self._pattern, self._convert(second))
            self._kept = (second, prefix)
        return f"{prefix}.{int((wall - second) * 1000):03d}{self._suffix}"


class JsonLines:
    """One JSON object a line, in ASCII. Times are RFC 3339 in UTC."""

    def __init__(self) -> None:
        self._timestamp = Timestamps("%Y-%m-%dT%H:%M:%S", time.gmtime, "Z")

    def access(self, event: Access, wall: float) -> str:
        line = self._access(event, wall)
        if "\\ud" in line or len(line) > _LONG_LINE:
            line = self._access(_tidied(event), wall)
        return line

    def rare(self, record: EventDict, wall: float) -> str:
        ordered = {"ts": self._timestamp(wall)} | {key: record.pop(key) for key in ("level", "event", "stage")}
        return json.dumps(ordered | dict(record), separators=(",", ":")) + "\n"

    def _access(self, event: Access, wall: float) -> str:
        rest = ""
        if event.error:
            rest += f',"error":{quote(event.error)}'
        if event.user:
            rest += f',"user":{quote(event.user)}'
        return (
            f'{{"ts":"{self._timestamp(wall)}","level":"info","event":"access","stage":"access"'
            f',"request_id":{quote(event.request_id)},"client":{quote(event.client)},"method":{quote(event.method)}'
            f',"url":{quote(mask_url(clip(event.url)))},"host":{quote(event.host)},"status":{event.status}'
            f',"bytes":{event.bytes_sent},"duration_ms":{event.duration_s * 1000:.1f}'
            f',"wait_ms":{event.wait_s * 1000:.1f},"cache":{quote(event.cache)}'
            f',"limit_key":{quote(event.limit_key)}{rest}}}\n'
        )


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
