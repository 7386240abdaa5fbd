"""What a limit promises, as one number, and an origin that measures it.

with Stopwatch("127.0.0.1") as origin:
    ... requests for origin.url + "/a" ...
assert worst_window(origin.times(), 1 - JITTER_S) <= 20
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

JITTER_S = 0.015
"""How unevenly two requests may travel to the origin, and be noticed there."""


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


class _Connection(asyncio.Protocol):
    def __init__(self, notes: Path) -> None:
        self._file = notes.open("ab", buffering=0)
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            self._file.write(b"%.6f %b\n" % (now, head.split(b" ")[1]))
            self._transport.write(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\n\r\nok")

    def connection_lost(self, exc: Exception | None) -> None:
        self._file.close()


async def _serve(host: str, notes: Path) -> None:
    notes.touch()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(notes), host, 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], Path(sys.argv[2])))
