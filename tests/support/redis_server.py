"""A real Redis of the tests' own: on a socket in its own directory, and to be stopped, killed and paused at will."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

PROGRAM = "redis-server"


class RedisServer:
    """Keeps nothing on disk: started again, it is empty."""

    def __init__(self, *options: str) -> None:
        program = shutil.which(PROGRAM)
        if program is None:
            raise RuntimeError(f"{PROGRAM} is not installed: scripts/test-programs {PROGRAM}")
        self._directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self.path = self._directory / "redis.sock"
        self.url = f"unix://{self.path}"
        fixed = ["--port", "0", "--save", "", "--appendonly", "no", "--dir", str(self._directory)]
        self._command = [program, *fixed, "--unixsocket", str(self.path), *options]
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        told = []
        for line in self._process.stdout:
            told.append(line)
            if "eady to accept connections" in line:
                return
        raise RuntimeError(f"{PROGRAM} did not start: {''.join(told)}")

    def pause(self) -> None:
        """Stop answering, without closing anything."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Have it end by itself."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def cli(self, *command: str) -> str:
        """What redis-cli prints."""
        shell = ["redis-cli", "-s", str(self.path), *command]
        return subprocess.run(shell, check=True, capture_output=True, text=True).stdout.strip()

    def close(self) -> None:
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._directory)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(number)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class SlowWay:
    """A TCP way to a Redis that holds each piece back for `delay_s`, and none at all once it is `cut`."""

    def __init__(self, server: RedisServer, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self._server = server
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._listener.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """Let nothing through any more, as a broken cable does; nobody is told."""
        self._open.clear()

    def mend(self) -> None:
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_unix_connection(self._server.path)
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        finally:
            self._tasks.discard(task)
            writer.close()
            back.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await asyncio.sleep(self.delay_s)
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        writer.close()
