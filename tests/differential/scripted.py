"""The origin of the differential test: what it answers follows from the resource, the request, and how often it changed."""

import re
from functools import lru_cache
from random import Random

from differential.sequences import Resource, http_date
from sluicegate.clock import Clock
from support.origin import Peer, ScriptedOrigin, SeenRequest

_TAG = re.compile(r'(?:W/)?"[^"]*"')
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


class Resources:
    """What one origin has. `clock` is what its dates are told from."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resources: dict[str, Resource] = {}
        self._versions: dict[str, int] = {}

    def add(self, resource: Resource) -> None:
        self._resources[resource.path] = resource
        self._versions[resource.path] = 0

    async def serve(self, peer: Peer) -> None:
        """A handler for `ScriptedOrigin`."""
        while (seen := await peer.request()) is not None:
            resource = self._resources[seen.target]
            peer.send(self._answer(resource, seen))
            await peer.drain()
            if resource.framing == "close" and seen.method != "HEAD":
                return

    def origin(self) -> ScriptedOrigin:
        return ScriptedOrigin(self.serve)

    def _answer(self, resource: Resource, seen: SeenRequest) -> bytes:
        if seen.method not in ("GET", "HEAD"):
            return self._changed(resource)
        version = self._versions[resource.path]
        variant = "".join(seen.get(name) or "" for line in resource.vary for name in line.split(", ") if name != "*")
        variant = re.sub(r"[^a-z]", "", variant.lower())
        body = content(f"{resource.path} {version} {variant}", resource.size)
        head = self._head(resource, version, variant)
        if resource.status == 204:
            return _lines(204, head) + b"\r\n"
        if resource.status == 200:
            if _unchanged(resource, seen, version, variant):
                return _lines(304, head) + b"\r\n"
            if _failed(resource, seen, version, variant):
                return _framed(resource, seen, 412, head, b"")
            if seen.method == "GET" and resource.ranges and _same(resource, seen, version, variant):
                return self._part(resource, seen, head, body)
        return _framed(resource, seen, resource.status, head, body)

    def _changed(self, resource: Resource) -> bytes:
        status = resource.unsafe_status
        if status < 400:
            self._versions[resource.path] += 1
        fields = [(b"Date", http_date(self._clock.wall()).encode())]
        if resource.points_at:
            fields.append((b"Location", resource.points_at.encode()))
        if status == 204:
            return _lines(204, fields) + b"\r\n"
        return _lines(status, [*fields, (b"Content-Length", b"4")]) + b"\r\ndone"

    def _head(self, resource: Resource, version: int, variant: str) -> list[tuple[bytes, bytes]]:
        now = self._clock.wall()
        fields = [(b"Date", http_date(now).encode())] if resource.date else []
        for name, value in resource.freshness:
            text = http_date(now + int(value[1:])) if value.startswith("@") else value
            fields.append((name.encode(), text.encode()))
        fields += [(b"Vary", line.encode()) for line in resource.vary]
        if resource.tag:
            fields.append((b"ETag", resource.etag(version, variant).encode()))
        if resource.dated:
            fields.append((b"Last-Modified", resource.modified(version).encode()))
        if resource.status in (301, 302):
            fields.append((b"Location", b"/elsewhere"))
        return [*fields, *resource.odd]

    def _part(self, resource: Resource, seen: SeenRequest, head: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        match = _RANGE.match(seen.get("range") or "")
        if match is None or match[1] == match[2] == "" or (match[1] and match[2] and int(match[1]) > int(match[2])):
            return _framed(resource, seen, 200, head, body)
        start = int(match[1]) if match[1] else max(0, len(body) - int(match[2]))
        end = min(len(body), int(match[2]) + 1) if match[1] and match[2] else len(body)
        if start >= len(body):
            return _framed(resource, seen, 416, [*head, (b"Content-Range", b"bytes */%d" % len(body))], b"")
        told = (b"Content-Range", b"bytes %d-%d/%d" % (start, end - 1, len(body)))
        return _framed(resource, seen, 206, [*head, told], body[start:end])


@lru_cache(maxsize=64)
def content(name: str, size: int) -> bytes:
    """Bytes of which no part looks like another."""
    return Random(name).randbytes(size)


def _unchanged(resource: Resource, seen: SeenRequest, version: int, variant: str) -> bool:
    if listed := ", ".join(value.decode("latin-1") for name, value in seen.fields if name.lower() == b"if-none-match"):
        tags = [tag.removeprefix("W/") for tag in _TAG.findall(listed)]
        return listed == "*" or (bool(resource.tag) and resource.etag(version, variant).removeprefix("W/") in tags)
    return resource.dated and seen.get("if-modified-since") == resource.modified(version)


def _failed(resource: Resource, seen: SeenRequest, version: int, variant: str) -> bool:
    wanted = seen.get("if-match")
    return wanted is not None and (resource.tag != "strong" or wanted != resource.etag(version, variant))


def _same(resource: Resource, seen: SeenRequest, version: int, variant: str) -> bool:
    condition = seen.get("if-range")
    if condition is None:
        return True
    return (resource.tag == "strong" and condition == resource.etag(version, variant)) or (
        resource.dated and condition == resource.modified(version)
    )


def _framed(
    resource: Resource, seen: SeenRequest, status: int, fields: list[tuple[bytes, bytes]], body: bytes
) -> bytes:
    head = seen.method == "HEAD"
    if resource.framing == "close":
        return _lines(status, [*fields, (b"Connection", b"close")]) + b"\r\n" + (b"" if head else body)
    if resource.framing == "length":
        fields = [*fields, (b"content-length", b"%d" % len(body))]
        return _lines(status, fields) + b"\r\n" + (b"" if head else body)
    trailers = resource.framing == "trailers"
    fields = [*fields, (b"Transfer-Encoding", b"chunked"), *([(b"Trailer", b"X-Sum")] if trailers else [])]
    start = _lines(status, fields) + b"\r\n"
    if head:
        return start
    pieces = [body[at : at + 30_000] for at in range(0, len(body), 30_000)]
    chunks = b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces])
    return start + chunks + b"0\r\n" + (b"X-Sum: 1\r\n" if trailers else b"") + b"\r\n"


def _lines(status: int, fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"HTTP/1.1 %d Thus\r\n" % status + b"".join([b"%b: %b\r\n" % item for item in fields])
