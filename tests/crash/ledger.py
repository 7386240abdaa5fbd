"""Whether what came back can be true: one version, whole, and none older than a change that was answered before."""

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from crash.contents import body_of, etag_of, size_of, version_in
from support.windows import worst_window

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
CUT_LATE_S = 0.05
"""How much later than the system has closed a killed process's connections the origin may see it."""


@dataclass
class Reply:
    """A response as far as it came."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False
    """Its end was told, and came."""
    late: bool = False
    """The proxy ran, and there was no end in sight."""


@dataclass
class Asked:
    """A request, and the least version that its answer may be of."""

    method: str
    path: str
    fields: dict[str, str]
    floor: int


class Ledger:
    """What was found so far."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        self.under_way: Counter[str] = Counter()
        """How many requests there are for each path at this moment."""
        self.changing: set[str] = set()
        """Paths with a POST under way."""
        self._floors: Counter[str] = Counter()

    def ask(self, method: str, path: str, fields: dict[str, str]) -> Asked:
        """A request is about to be sent."""
        return Asked(method, path, fields, self._floors[path])

    def changed(self, path: str, version: int) -> None:
        """A POST was answered: whoever asks from now on gets this version or a later one."""
        self._floors[path] = max(self._floors[path], version)

    def judge(self, asked: Asked, reply: Reply) -> None:
        """Note what is wrong with a response."""
        self.counts["complete" if reply.complete else "cut"] += 1
        if reply.late:
            self.violations.append(f"{asked.method} {asked.path} {asked.fields}: no end in sight")
        if reply.status == 0:
            return
        kind = reply.fields.get("cache-status", "").partition(";")[2].split(";")[0].strip() or "no cache-status"
        self.counts[kind] += 1
        if wrong := _wrong(asked, reply):
            self.violations.append(
                f"{asked.method} {asked.path} {asked.fields}: {wrong}; {reply.status} {reply.fields}, "
                f"{len(reply.body)} bytes"
            )


def _wrong(asked: Asked, reply: Reply) -> str:
    """What cannot be, if anything."""
    etag = reply.fields.get("etag", "")
    version = version_in(etag)
    if reply.status == 416:
        return ""
    if reply.status not in {200, 206, 304} or version < 0:
        return "an answer that nobody gave"
    if version < asked.floor:
        return f"version {version}, though version {asked.floor} was told before"
    if etag != etag_of(asked.path, version):
        return "an ETag that nobody gave"
    length = size_of(asked.path, version)
    start, end = 0, length
    if reply.status == 206:
        found = _CONTENT_RANGE.fullmatch(reply.fields.get("content-range", ""))
        if found is None or int(found[3]) != length or not int(found[1]) <= int(found[2]) < length:
            return "a Content-Range that cannot be"
        if asked.fields.get("if-range", etag) != etag:
            return "a part of another version than asked for"
        start, end = int(found[1]), int(found[2]) + 1
    if asked.method == "HEAD" or reply.status == 304:
        return "" if reply.fields.get("content-length", str(length)) == str(length) else "a wrong length"
    whole = body_of(asked.path, version)[start:end]
    if reply.complete and len(reply.body) != len(whole):
        return f"{len(whole)} bytes, and the end came elsewhere"
    return "" if whole.startswith(reply.body) else f"bytes of something else from {_differs_at(whole, reply.body)} on"


def _differs_at(one: bytes, other: bytes) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def windows_exceeded(notes: Path, rates: list[tuple[int, float]], jitter_s: float) -> list[str]:
    """Which of the rates (requests, seconds) were exceeded by what an origin has noted."""
    times = [float(line.split(" ")[0]) for line in notes.read_text().splitlines()]
    worst = [(count, window_s, worst_window(times, window_s - jitter_s)) for count, window_s in rates]
    return [f"{most} requests in {window_s} s, {count} allowed" for count, window_s, most in worst if most > count]


def most_at_once(notes: Path) -> int:
    """How many requests an origin had at the same time, at most."""
    turns: list[tuple[float, int]] = []
    for line in notes.read_text().splitlines():
        came, over, how = line.split(" ")
        end = float(over) - (CUT_LATE_S if how == "cut" else 0.0)
        if end > float(came):
            turns += [(float(came), 1), (end, -1)]
    now = most = 0
    turns.sort()
    for _, step in turns:
        now += step
        most = max(most, now)
    return most


def longest_pause(notes: Path) -> float:
    """The longest time between two requests, in seconds."""
    times = sorted(float(line.split(" ")[0]) for line in notes.read_text().splitlines())
    return max((after - before for before, after in pairwise(times)), default=0.0)
