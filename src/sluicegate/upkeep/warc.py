"""Stored responses as WARC 1.1 (ISO 28500:2017), the form in which crawlers and web archives keep them.

A response record has the head as it is stored, and the body as it came but for its framing. The request record beside it
has the fields that the response was selected by, for no others are kept.
"""

import gzip
import shutil
import uuid
from datetime import UTC, datetime
from hashlib import sha256
from typing import BinaryIO

from sluicegate.core.caching.listing import Listed
from sluicegate.core.http import FieldList

_END = b"\r\n\r\n"
_COPY_BYTES = 1024 * 1024
_NAMESPACE = uuid.UUID("5b2f0c3e-6f0a-5d0e-9d63-5c1a6a7e1c11")


class WarcWriter:
    """Writes records to `out`, each a gzip member of its own if they are to be compressed."""

    def __init__(self, out: BinaryIO, *, software: str, now: float, compress: bool) -> None:
        """Begin with the record that tells who has written it; `now` is Unix time in seconds. Raises OSError."""
        self._out = out
        self._compress = compress
        block = f"software: {software}\r\nformat: WARC File Format 1.1\r\n".encode()
        named = [("WARC-Type", "warcinfo"), ("WARC-Record-ID", _name("warcinfo", repr(now))), ("WARC-Date", _date(now))]
        self._record(named, "application/warc-fields", block)

    def put(self, listed: Listed, body: BinaryIO) -> None:
        """Write a response and its request; `body` is read to its end. Raises OSError."""
        request, response = listed.entry.request, listed.entry.response
        response_id = _name("response", listed.key, listed.entry.id, repr(listed.entry.response_time))
        shared = [("WARC-Target-URI", request.url), ("WARC-Date", _date(listed.entry.response_time))]
        named = [("WARC-Type", "response"), ("WARC-Record-ID", response_id), *shared]
        head = b"HTTP/1.1 %d %s\r\n" % (response.status, response.reason) + _section(response.fields)
        digest = ("WARC-Payload-Digest", f"sha256:{_sha256(body)}")
        self._record([*named, digest], "application/http;msgtype=response", head, body)
        asked = [("WARC-Type", "request"), ("WARC-Record-ID", _name("request", response_id)), *shared]
        line = f"{request.method} {request.target} HTTP/1.1\r\nHost: {request.origin.authority}\r\n"
        block = line.encode("utf-8", "surrogatepass") + _section(request.fields)
        self._record([*asked, ("WARC-Concurrent-To", response_id)], "application/http;msgtype=request", block)

    def _record(
        self, fields: list[tuple[str, str]], media_type: str, block: bytes, body: BinaryIO | None = None
    ) -> None:
        length = len(block) + (0 if body is None else _length(body))
        lines = [*fields, ("Content-Type", media_type), ("Content-Length", str(length))]
        text = "WARC/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
        if not self._compress:
            _write(self._out, text, block, body)
            return
        with gzip.GzipFile(fileobj=self._out, mode="wb", mtime=0) as member:
            _write(member, text, block, body)


def _write(out: BinaryIO | gzip.GzipFile, text: str, block: bytes, body: BinaryIO | None) -> None:
    out.write(text.encode("utf-8", "surrogatepass") + block)
    if body is not None:
        shutil.copyfileobj(body, out, _COPY_BYTES)
    out.write(_END)


def _section(fields: FieldList) -> bytes:
    return b"".join(b"%s: %s\r\n" % item for item in fields) + b"\r\n"


def _name(*parts: str) -> str:
    """A record's name: the same for the same stored response in every export."""
    return f"<urn:uuid:{uuid.uuid5(_NAMESPACE, ascii(parts))}>"


def _date(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _length(body: BinaryIO) -> int:
    length = body.seek(0, 2)
    body.seek(0)
    return length


def _sha256(body: BinaryIO) -> str:
    running = sha256()
    body.seek(0)
    while piece := body.read(_COPY_BYTES):
        running.update(piece)
    body.seek(0)
    return running.hexdigest()
