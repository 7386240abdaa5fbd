"""HTTP messages for tests, told in few words."""

from urllib.parse import urlsplit

from sluicegate.core.http import FieldList, Origin, RequestHead, ResponseHead


def fields(text: str) -> FieldList:
    """A header section from lines of `Name: value`."""
    pairs = (line.split(":", 1) for line in text.strip().splitlines() if line.strip())
    return [(name.strip().encode(), value.strip().encode("latin-1")) for name, value in pairs]


def request(url: str = "http://example.com/a", headers: str = "", *, method: str = "GET") -> RequestHead:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    target = url.split("//", 1)[1].partition("/")
    return RequestHead(method, Origin(parts.scheme, parts.hostname or "", port), f"/{target[2]}", fields(headers))


def response(headers: str = "", *, status: int = 200, reason: bytes = b"OK") -> ResponseHead:
    return ResponseHead(status, reason, fields(headers))


class Body:
    """A body of given pieces; after the last one it ends, or raises `error`."""

    def __init__(self, *pieces: bytes, error: Exception | None = None, length: int | None = None) -> None:
        self.length = length
        self.trailers: FieldList = []
        self.closed = False
        self._pieces = iter(pieces)
        self._error = error

    async def read(self) -> bytes:
        piece = next(self._pieces, b"")
        if not piece and self._error is not None:
            raise self._error
        return piece

    async def aclose(self) -> None:
        self.closed = True


async def read_all(body) -> bytes:
    """The whole body; raises what it raises."""
    pieces = []
    while piece := await body.read():
        pieces.append(bytes(piece))
    return b"".join(pieces)
