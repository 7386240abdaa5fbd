"""A load generator of our own, for what wrk cannot do: CONNECT and TLS, and a given number of requests.

Run as a program, with one JSON object (the members of `Task`) as its argument. It opens all connections, handshakes
included, says `OPEN`, waits for a line on standard input, does its task and prints a line of load.lua's kind. One
thread, one epoll: cheap beside what it measures.
"""

import json
import select
import socket
import ssl
import sys
import time
from dataclasses import dataclass

HANDSHAKE_TIMEOUT_S = 30
STALLED_S = 10
"""A load that gets no byte for so long is over; every request under way counts as timed out."""
OPEN = "OPEN"
_READ_BYTES = 65536


@dataclass(frozen=True)
class Task:
    """What to ask, and how often. `{n}` in `path` or `host` makes another one of each request."""

    port: int
    """Who listens: a proxy, or the origin itself when `direct`."""
    origin_port: int
    path: str
    body_bytes: int
    connections: int = 1
    seconds: float = 0.0
    """How long, when `count` is 0."""
    count: int = 0
    host: str = "127.0.0.1"
    """`{n}` in it stands for the last three bytes of an IPv4 address."""
    tls: bool = False
    direct: bool = False


class Wrong(Exception):
    """An answer that is none, or not the one that is measured; its argument is the kind of error."""


def request_bytes(task: Task, number: int) -> bytes:
    """The number-th request: absolute-form for a proxy, origin-form inside TLS and for the origin."""
    authority = f"{task.host.replace('{n}', address_tail(number))}:{task.origin_port}"
    path = task.path.replace("{n}", str(number))
    target = path if task.tls or task.direct else f"http://{authority}{path}"
    return f"GET {target} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()


def address_tail(number: int) -> str:
    """Three bytes of an address on loopback, another for each number, none ending in 0 or 255."""
    high, low = divmod(number, 250)
    return f"{1 + high // 250}.{high % 250}.{1 + low}"


def complete(received: bytes | bytearray, body_bytes: int) -> bool:
    """Whether a whole answer is there. Raises Wrong for one that is no 200, or too long."""
    if not received.startswith(b"HTTP/1.1 200 "[: len(received)]):
        raise Wrong("bad_statuses")
    head, mark, body = bytes(received).partition(b"\r\n\r\n")
    if not mark:
        return False
    if len(body) > body_bytes or b"chunked" in head.lower():
        raise Wrong("read_errors")
    return len(body) == body_bytes


def connect(task: Task) -> socket.socket:
    """A connection on which requests can be sent, through the proxy's tunnel and in TLS if the task says so."""
    connection = socket.create_connection(("127.0.0.1", task.port), timeout=HANDSHAKE_TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if task.tls and not task.direct:
        authority = f"{task.host}:{task.origin_port}"
        connection.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = connection.recv(_READ_BYTES)
            if not data:
                raise Wrong("connect_errors")
            answer += data
        if answer.split(b" ", 2)[1] != b"200":
            raise Wrong("connect_errors")
    if task.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # who signs is the business of tests; here it would only cost time
        connection = context.wrap_socket(connection, server_hostname=task.host)
    connection.setblocking(False)
    return connection


class Hammer:
    """Connections, each with one request under way."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._poll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._received: dict[int, bytearray] = {}
        self._sent_at: dict[int, int] = {}
        self._sent = 0
        self.latencies_ns: list[int] = []
        self.errors = dict.fromkeys(("connect_errors", "read_errors", "write_errors", "timeouts", "bad_statuses"), 0)

    def open(self) -> None:
        """Open all connections; those that fail are counted."""
        for _ in range(self._task.connections):
            try:
                connection = connect(self._task)
            except (OSError, Wrong):
                self.errors["connect_errors"] += 1
                continue
            self._open[connection.fileno()] = connection
            self._poll.register(connection.fileno(), select.EPOLLIN)

    def run(self) -> float:
        """Ask until time or count is up and every answer is there; how long that took (seconds)."""
        began = time.perf_counter()
        until = began + self._task.seconds
        for number in list(self._open):
            self._next(number, until)
        while self._sent_at:
            events = self._poll.poll(STALLED_S)
            if not events:
                self.errors["timeouts"] += len(self._sent_at)
                break
            for number, _ in events:
                self._take(number, until)
        took = time.perf_counter() - began
        for connection in self._open.values():
            connection.close()
        return took

    def _next(self, number: int, until: float) -> None:
        task = self._task
        if self._sent >= task.count if task.count else time.perf_counter() >= until:
            return
        self._received[number] = bytearray()
        self._sent_at[number] = time.perf_counter_ns()
        try:
            self._open[number].send(request_bytes(task, self._sent))
        except OSError:
            self._give_up(number, "write_errors")
        self._sent += 1

    def _take(self, number: int, until: float) -> None:
        if number not in self._sent_at:  # it is closed after the last answer, or before an answer was awaited
            self._poll.unregister(number)
            return
        received = self._received[number]
        try:
            while True:
                data = self._open[number].recv(_READ_BYTES)
                if not data:
                    raise Wrong("read_errors")
                received += data
                if complete(received, self._task.body_bytes):
                    break
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            self._give_up(number, "read_errors")
        except Wrong as wrong:
            self._give_up(number, str(wrong))
        else:
            self.latencies_ns.append(time.perf_counter_ns() - self._sent_at.pop(number))
            self._next(number, until)

    def _give_up(self, number: int, error: str) -> None:
        self.errors[error] += 1
        self._sent_at.pop(number, None)
        del self._received[number]
        self._open.pop(number).close()


def quantile(ordered: list[int], part: float) -> int:
    """The value below which `part` of an ordered list lies; 0 of an empty one."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0


def main() -> None:
    hammer = Hammer(Task(**json.loads(sys.argv[1])))
    hammer.open()
    print(OPEN, flush=True)
    sys.stdin.readline()
    took_s = hammer.run()
    ordered = sorted(hammer.latencies_ns)
    report = {
        "requests": len(ordered),
        "duration_us": int(took_s * 1e6),
        "p50_us": quantile(ordered, 0.5) // 1000,
        "p99_us": quantile(ordered, 0.99) // 1000,
    }
    print("REPORT " + json.dumps(report | hammer.errors))


if __name__ == "__main__":
    main()
