"""What a limit promises, as one number, and an origin that measures it.

with Stopwatch("127.0.0.1") as origin:
    ... requests for origin.url + "/a" ...
assert worst_window(origin.times(), 1 - JITTER_S) <= 20
"""

import selectors
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

JITTER_S = 0.015
"""How unevenly two requests may travel to the origin."""
_TIMESTAMPS = 35
"""SO_TIMESTAMPNS on Linux: what is received comes with the time at which the kernel had it."""


def worst_window(times: Iterable[float], window_s: float) -> int:
    """The most of `times` (seconds, any order) that lie in one half-open interval of length `window_s`."""
    ordered = sorted(times)
    first = most = 0
    for index, at in enumerate(ordered):
        while at - ordered[first] >= window_s:
            first += 1
        most = max(most, index - first + 1)
    return most


class Stopwatch:
    """An origin in a process of its own, so that nothing the test does comes between a request and its time.

    It answers every request for a body with `ok`, fresh for ten minutes.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.url = ""

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory()
        self._notes = Path(self._directory.name, "times")
        self._process = subprocess.Popen(
            [sys.executable, __file__, self.host, str(self._notes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.url = f"http://{self.host}:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._seen = self._lines()
        self._directory.cleanup()

    def times(self, target: str | None = None) -> list[float]:
        """When requests came (seconds, monotonic), in their order; all of them, or those for one target."""
        lines = self._lines() if self._process.poll() is None else self._seen
        return [float(at) for at, seen in lines if target in (None, seen)]

    def _lines(self) -> list[list[str]]:
        return [line.split(" ") for line in self._notes.read_text().splitlines()]


class _Connection:
    """A client of the origin. When its bytes came is what the kernel says: a busy machine may let us wait to read them."""

    def __init__(self, accepted: socket.socket, notes: BinaryIO, wall_ahead_s: float) -> None:
        self._socket = accepted
        self._notes = notes
        self._wall_ahead_s = wall_ahead_s
        self._data = b""

    def receive(self) -> bool:
        """Answer what has come; False at the end."""
        data, ancillary, _, _ = self._socket.recvmsg(65536, 256)
        if not data:
            return False
        came = [struct.unpack("qq", told) for _, kind, told in ancillary if kind == _TIMESTAMPS]
        at = (came[0][0] + came[0][1] / 1e9 if came else time.time()) - self._wall_ahead_s
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            self._notes.write(b"%.6f %b\n" % (at, head.split(b" ")[1]))
            self._socket.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\n\r\nok")
        return True


def _serve(host: str, notes: BinaryIO) -> None:
    listening = socket.create_server((host, 0), backlog=1024)
    listening.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)  # what it accepts has it, too
    print(listening.getsockname()[1], flush=True)
    wall_ahead_s = time.time() - time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(listening, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is listening:
                    accepted, _ = listening.accept()
                    selector.register(accepted, selectors.EVENT_READ, _Connection(accepted, notes, wall_ahead_s))
                elif not _still_there(key.data):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


def _still_there(connection: _Connection) -> bool:
    try:
        return connection.receive()
    except OSError:
        return False


if __name__ == "__main__":
    with Path(sys.argv[2]).open("ab", buffering=0) as file:
        _serve(sys.argv[1], file)
