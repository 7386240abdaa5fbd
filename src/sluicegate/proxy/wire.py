"""From answers to bytes for an HTTP/1.1 client: status line, fields, framing (RFC 9112)."""

from sluicegate.core.framing import BODYLESS, head_lines, without_framing
from sluicegate.core.http import FieldList, ResponseHead
from sluicegate.exchange.call import Answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CONTINUE_STATUS = 100
_NO_CONTENT = 204


def interim(head: ResponseHead) -> bytes:
    """A 1xx response."""
    return head_lines(head.status, head.reason, head.fields) + b"\r\n"


class Framing:
    """How one response's body is delimited, and whether the connection lives on after it."""

    def __init__(self, answer: Answer, *, method: str, http_10: bool, keep_alive: bool) -> None:
        self.bodyless = method == "HEAD" or answer.head.status in BODYLESS
        length = answer.body.length
        self.chunked = not self.bodyless and length is None and not http_10
        self.close = not keep_alive or (not self.bodyless and length is None and http_10)
        self._http_10 = http_10
        self._length = length

    def head(self, head: ResponseHead) -> bytes:
        """Status line and header section."""
        fields = head.fields
        if head.status == _NO_CONTENT:
            fields = without_framing(fields)  # RFC 9110 §8.6
        elif not self.bodyless:
            fields = without_framing(fields)
            if self.chunked:
                fields.append((b"Transfer-Encoding", b"chunked"))
            elif self._length is not None:
                fields.append((b"Content-Length", b"%d" % self._length))
        if self.close:
            fields = [*fields, (b"Connection", b"close")]
        elif self._http_10:
            fields = [*fields, (b"Connection", b"keep-alive")]
        return head_lines(head.status, head.reason, fields) + b"\r\n"

    def whole(self, head: ResponseHead, content: bytes, trailers: FieldList) -> bytes:
        """All of a response whose body is there."""
        if self.bodyless:
            return self.head(head)
        if self.chunked:
            return self.head(head) + self.piece(content) + self.end(trailers)
        return self.head(head) + content

    def piece(self, data: bytes) -> bytes:
        """A piece of the body; no bytes are no piece."""
        return b"%x\r\n%b\r\n" % (len(data), data) if self.chunked and data else data

    def end(self, trailers: FieldList) -> bytes:
        """What comes after the last piece."""
        if not self.chunked:
            return b""
        return b"0\r\n" + b"".join([b"%b: %b\r\n" % item for item in trailers]) + b"\r\n"
