"""An origin with the faults that cache attacks live on: it believes every field, and says of nothing whose it is.

The first segment of a path names the fields of the response (`SAYS`), the body repeats all of the request.
"""

import base64
import json
import socket
import ssl
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from support.origin import SeenRequest, response
from support.proxy import Proxy, Reply

EVIL = "evil"
"""What an attacker puts into a request; a victim must never see it."""

_FRESH = ("Cache-Control", "max-age=600")
_OLD = formatdate(1_500_000_000, usegmt=True)
SAYS: dict[str, list[tuple[str, str]]] = {
    "fresh": [_FRESH],
    "nothing": [],
    "heuristic": [("Last-Modified", _OLD)],
    "etag": [("ETag", '"one"')],
    "private": [("Cache-Control", "private, max-age=600")],
    "no-store": [("Cache-Control", "no-store")],
    "public": [("Cache-Control", "public, max-age=600")],
    "s-maxage": [("Cache-Control", "s-maxage=600")],
    "private-field": [("Cache-Control", 'max-age=600, private="X-Mine"'), ("X-Mine", "mine")],
    "cookie": [_FRESH, ("Set-Cookie", "session=1")],
    "cookie-heuristic": [("Last-Modified", _OLD), ("Set-Cookie", "session=1")],
    "cookie-public": [("Cache-Control", "public, max-age=600"), ("Set-Cookie", "language=de")],
    "vary-cookie": [_FRESH, ("Vary", "Cookie")],
    "vary-authorization": [("Cache-Control", "public, max-age=600"), ("Vary", "Authorization")],
    "vary-any": [_FRESH, ("Vary", "*")],
    "vary-hop": [_FRESH, ("Vary", "Connection, Proxy-Authorization, TE")],
    "vary-huge": [_FRESH, ("Vary", ", ".join(f"X-{number}" for number in range(2000)) + ", X-Who")],
}


def app(seen: SeenRequest) -> bytes:
    """What it answers."""
    kind, _, rest = seen.target.lstrip("/").partition("/")
    echo = [seen.method, seen.target, *(f"{k.decode('latin-1')}: {v.decode('latin-1')}" for k, v in seen.fields)]
    body = json.dumps([*echo, seen.body.decode("latin-1")]).encode()
    fields = SAYS.get(kind, [])
    if rest.startswith("error/"):
        status = int(rest.split("/")[1])
        bad = seen.get("X-Bad") is not None
        return response(status if bad else 200, body=body, fields=[_FRESH])
    if rest.startswith("range/") and seen.get("range"):
        return response(
            206, body=body[:4], fields=[*fields, ("Content-Range", f"bytes 0-3/{len(body)}"), ("ETag", '"r"')]
        )
    return response(body=body, fields=fields)


@dataclass(frozen=True)
class Client:
    """Somebody who uses the proxy, perhaps with a name, perhaps inside intercepted TLS."""

    proxy: Proxy
    base: str
    """The origin's URL."""
    user: str = ""
    password: str = ""

    def get(self, path: str, *fields: str, method: str = "GET", body: bytes = b"") -> Reply:
        """A well-formed request with these field lines besides Host."""
        lines = [*fields, *([f"Content-Length: {len(body)}"] if body else [])]
        return self.raw(path, "\r\n".join([f"Host: {self.authority}", *lines]), method=method, body=body)

    @property
    def authority(self) -> str:
        """Host and port of the origin."""
        return self.base.partition("://")[2]

    def raw(self, target: str, fields: str, *, method: str = "GET", body: bytes = b"") -> Reply:
        """A request with exactly these field lines; `target` is a path, or all of a target."""
        inside = self.base.startswith("https://")
        if not inside and target.startswith("/"):
            target = self.base + target
        login = "" if inside or not self.user else self._login()
        head = f"{method} {target} HTTP/1.1\r\n{fields}\r\n{login}Connection: close\r\n\r\n"
        return read_reply(self.exchange(head.encode("latin-1") + body))

    def exchange(self, data: bytes) -> bytes:
        """All that comes back for these bytes."""
        with self._connected() as connection:
            connection.sendall(data)
            pieces = []
            try:
                while piece := connection.recv(65536):
                    pieces.append(piece)
            except (ConnectionResetError, ssl.SSLEOFError):
                pass
            return b"".join(pieces)

    def _connected(self) -> socket.socket:
        plain = self.proxy.raw()
        if not self.base.startswith("https://"):
            return plain
        plain.sendall(f"CONNECT {self.authority} HTTP/1.1\r\nHost: {self.authority}\r\n{self._login()}\r\n".encode())
        answer = plain.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        context = ssl.create_default_context(cafile=str(Path(self.proxy.ca)))
        return context.wrap_socket(plain, server_hostname=self.authority.partition(":")[0])

    def _login(self) -> str:
        if not self.user:
            return ""
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return f"Proxy-Authorization: Basic {basic}\r\n"


def read_reply(data: bytes) -> Reply:
    """The first response in what came until the end of the connection."""
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    fields = [(name, value.strip()) for name, _, value in (text.partition(":") for text in lines)]
    status = int(line.split(" ")[1]) if " " in line else 0
    return Reply(status, fields, body)


def is_hit(reply: Reply) -> bool:
    """Whether it came from the cache, or with somebody else's answer."""
    told = reply.get("Cache-Status") or ""
    return "; hit" in told or "collapsed" in told
