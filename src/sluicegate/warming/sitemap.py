"""Sitemaps (sitemaps.org protocol 0.9): XML from strangers, perhaps packed.

Nothing that XML could make of them is done: a document type, and with it every entity, is refused, and what is unpacked
is bounded.
"""

import zlib
from dataclasses import dataclass, field
from xml.parsers import expat

from sluicegate.errors import SluicegateError

MAX_BYTES = 50 * 2**20
"""Of a sitemap, unpacked: as much as the protocol allows."""
MAX_URLS = 50_000
"""Of a sitemap, by the protocol."""

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31
_PIECE = 256 * 1024
_LONGEST_URL = 8192
_KINDS = {"urlset": "url", "sitemapindex": "sitemap"}
_BEGINNINGS = (b"<", b"\xef\xbb\xbf<", b"\xfe\xff\x00<", b"\xff\xfe<\x00")
_LOC_DEPTH = 3


class SitemapError(SluicegateError):
    """What should be a sitemap is none, or is not safe to read."""


@dataclass(slots=True)
class Sitemap:
    """What a sitemap lists."""

    urls: list[str] = field(default_factory=list)
    sitemaps: list[str] = field(default_factory=list)
    """Of an index: where the sitemaps are."""


def is_packed(content: bytes) -> bool:
    """Whether these are the first bytes of a gzip file."""
    return content.startswith(_GZIP)


def unpacked(content: bytes) -> bytes:
    """The content of a gzip file, or of what is none as it stands. Raises SitemapError."""
    if not is_packed(content):
        return content
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        result = unpacker.decompress(content, MAX_BYTES + 1)
    except zlib.error as error:
        raise SitemapError(f"It is a damaged gzip file ({error}).") from None
    if len(result) > MAX_BYTES:
        raise SitemapError(f"Unpacked, it has more than {MAX_BYTES} bytes.")
    if not unpacker.eof:
        raise SitemapError("It is a gzip file that breaks off.")
    return result


def looks_like_xml(content: bytes) -> bool:
    """Whether this is XML rather than a list of URLs."""
    return content.lstrip(b" \t\r\n").startswith(_BEGINNINGS)


def read_sitemap(content: bytes) -> Sitemap:
    """What a sitemap or a sitemap index in XML lists. Raises SitemapError."""
    if len(content) > MAX_BYTES:
        raise SitemapError(f"It has more than {MAX_BYTES} bytes.")
    reader = _Reader()
    for start in range(0, len(content), _PIECE):
        reader.feed(content[start : start + _PIECE])
    return reader.close()


class _Reader:
    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartDoctypeDeclHandler = self._document_type
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._path: list[str] = []
        self._loc: list[str] | None = None
        self._length = 0
        self._found = Sitemap()

    def feed(self, piece: bytes) -> None:
        self._parse(piece, final=False)

    def close(self) -> Sitemap:
        self._parse(b"", final=True)
        return self._found

    def _parse(self, piece: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(piece, final)
        except expat.ExpatError as error:
            raise SitemapError(f"It is no well-formed XML: {error}.") from None

    def _document_type(self, *_declared: object) -> None:
        raise SitemapError("It declares a document type, which no sitemap needs and which is not read.")

    def _start(self, name: str, _attributes: object) -> None:
        local = name.rpartition(" ")[2]
        if not self._path and local not in _KINDS:
            raise SitemapError(f"It is XML, but no sitemap: its root is <{local[:_LONGEST_URL]}>.")
        self._path.append(local)
        if len(self._path) == _LOC_DEPTH and local == "loc" and self._path[1] == _KINDS[self._path[0]]:
            self._loc, self._length = [], 0

    def _text(self, text: str) -> None:
        if self._loc is not None:
            self._length += len(text)
            if self._length > _LONGEST_URL:
                raise SitemapError(f"It has a URL of more than {_LONGEST_URL} letters.")
            self._loc.append(text)

    def _end(self, _name: str) -> None:
        if self._loc is not None and len(self._path) == _LOC_DEPTH:
            self._keep("".join(self._loc).strip())
            self._loc = None
        self._path.pop()

    def _keep(self, url: str) -> None:
        kept = self._found.sitemaps if self._path[0] == "sitemapindex" else self._found.urls
        if len(kept) >= MAX_URLS:
            raise SitemapError(f"It lists more than {MAX_URLS}.")
        kept.append(url)
