"""The same requests through Squid and through Sluicegate, and what each made of them.

    .venv/bin/python tests/differential/against_squid.py         # prints the rows of docs/squid.md that are found

An outcome is a word for each request: `hit` (the origin was not asked), `asked`, `validated` (asked with a condition of
the cache's own, or of the client's, and answered 304), each with the status if that is not 200.
"""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from signal import SIGKILL

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from bench.processes import accepts, free_ports, program, serving
from differential.squid_cases import CASES, Ask, Case
from sluicegate.core.caching.fields.directives import format_date
from support.engine import engine_bench
from support.origin import ScriptedOrigin, SeenRequest, answer, response

BODY = b"0123456789"
SETTINGS = """
http_port 127.0.0.1:{port}
http_access allow all
visible_hostname differential
pid_filename {directory}/squid.pid
coredump_dir {directory}
cache_log {directory}/squid.log
access_log none
cache_mem 16 MB
memory_cache_shared off
pinger_enable off
netdb_filename none
shutdown_lifetime 0 seconds
"""
"""As it comes, but for where things are; it keeps what it stores in memory."""

type Way = Callable[[str, Ask], Awaitable[int]]
"""Make a request of a URL; the status of its answer."""


class Script:
    """The origin's side of one case."""

    def __init__(self) -> None:
        self.case = CASES[0]
        self.path = ""
        self.asked = 0
        self.told_unchanged = False

    def begin(self, case: Case, path: str) -> None:
        self.case, self.path, self.asked = case, path, 0

    def reply(self, seen: SeenRequest) -> bytes:
        told = self.case.told[min(self.asked, len(self.case.told) - 1)]
        self.asked += 1
        fields = fields_of(told.fields, self.path)
        own = dict(fields)
        self.told_unchanged = seen.method in ("GET", "HEAD") and told.status == 200 and _has_it(seen, own)
        if self.told_unchanged:
            return response(304, fields=fields, reason="Not Modified")
        if told.knows_ranges and seen.get("range") == "bytes=0-3":
            part = [*fields, ("Content-Range", f"bytes 0-3/{len(BODY)}")]
            return response(206, BODY[:4], part, reason="Partial Content")
        if seen.method == "HEAD":
            return response(told.status, b"", [*fields, ("X-Length", "0")], reason="Thus")
        return response(told.status, b"" if told.status == 204 else BODY, fields, reason="Thus")


def _has_it(seen: SeenRequest, own: dict[str, str]) -> bool:
    tags = (seen.get("if-none-match") or "").split(", ")
    if own.get("ETag") in tags:
        return True
    return tags == [""] and "Last-Modified" in own and seen.get("if-modified-since") == own["Last-Modified"]


def fields_of(text: str, path: str) -> list[tuple[str, str]]:
    """Fields from lines, with their dates; a Date that says nothing is left out, without one it is now."""
    dated = re.sub(r"\{(-?\d+)\}", lambda found: format_date(time.time() + int(found[1])).decode(), text)
    pairs = [(name, value) for name, _, value in (line.partition(": ") for line in dated.splitlines())]
    if not any(name == "Date" for name, _ in pairs):
        pairs.append(("Date", format_date(time.time()).decode()))
    return [(name, value.replace("{path}", path)) for name, value in pairs if value]


async def outcomes(script: Script, origin: ScriptedOrigin, way: Way) -> dict[str, str]:
    """What one proxy makes of all cases."""
    found = {}
    for number, case in enumerate(CASES):
        path = f"/{number}"
        script.begin(case, path)
        words = []
        for ask in case.asks:
            before = script.asked
            status = await way(f"{origin.url}{path}{ask.path}", ask)
            word = "hit" if script.asked == before else "validated" if script.told_unchanged else "asked"
            words.append(word if status == 200 else f"{word} {status}")
        found[case.name] = ", ".join(words)
    return found


async def through_sluicegate() -> dict[str, str]:
    """The engine with everything under it."""
    script = Script()
    async with ScriptedOrigin(answer(script.reply)) as origin, engine_bench() as bench:

        async def way(url: str, ask: Ask) -> int:
            fields = [(name.encode(), value.encode()) for name, value in _asked_fields(ask)]
            return (await bench.ask(url, method=ask.method, fields=fields)).status

        return await outcomes(script, origin, way)


async def through_squid() -> dict[str, str]:
    """A Squid of its own."""
    script = Script()
    async with ScriptedOrigin(answer(script.reply)) as origin, squid() as port:
        return await outcomes(script, origin, lambda url, ask: _by_proxy(port, url, ask))


async def _by_proxy(port: int, url: str, ask: Ask) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    host = url.split("/")[2]
    lines = [f"{ask.method} {url} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in _asked_fields(ask)]
    if ask.method == "POST":
        lines.append("Content-Length: 0")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(20):
        told = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(told.split()[1])


def _asked_fields(ask: Ask) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields_of(ask.fields, "") if name != "Date"]


@contextlib.asynccontextmanager
async def squid() -> AsyncIterator[int]:
    """Squid, just started; its port."""
    stack = contextlib.ExitStack()
    try:
        yield await asyncio.to_thread(stack.enter_context, _squid())
    finally:
        await asyncio.to_thread(stack.close)


@contextlib.contextmanager
def _squid() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (port,) = free_ports(1)
        settings = SETTINGS.format(directory=directory, port=port)
        if os.geteuid() == 0:
            settings += "cache_effective_user proxy\n"
            shutil.chown(directory, "proxy")
        (directory / "squid.conf").write_text(settings)
        # Its shared memory is named after the service: one of our own never meets another Squid's, alive or dead.
        service = f"differential{os.getpid()}x{port}"
        command = [program("squid"), "-N", "-n", service, "-f", directory / "squid.conf"]
        try:
            with serving("Squid", command, lambda: accepts(port), directory, ended_by=SIGKILL):
                yield port
        finally:
            for segment in Path("/dev/shm").glob(f"{service}-*"):
                segment.unlink(missing_ok=True)


def differences(squids: dict[str, str], ours: dict[str, str]) -> dict[str, tuple[str, str]]:
    """The cases in which they differ: Squid's outcome and ours."""
    return {name: (squids[name], ours[name]) for name in ours if squids[name] != ours[name]}


async def _main() -> None:
    version = subprocess.run([program("squid"), "-v"], capture_output=True, text=True, check=True).stdout
    squids, ours = await through_squid(), await through_sluicegate()
    print(version.splitlines()[0], f"({len(CASES)} cases)")
    for name, (theirs, own) in differences(squids, ours).items():
        print(f"| {name} | {theirs} | {own} | |")


if __name__ == "__main__":
    asyncio.run(_main())
