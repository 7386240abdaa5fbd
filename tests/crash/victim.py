"""The proxy that is killed and started again, on one state directory."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.proxy import COMMAND, base_config, clean_environ, write_config

_START_S = 60.0


class Victim:
    """`workers` processes (1: no supervisor), and how to kill some of them. `up` is set while clients are accepted."""

    def __init__(self, directory: Path, workers: int, **sections: Any) -> None:
        self.up = asyncio.Event()
        self.address = ("", 0)
        self.workers = workers
        self.errors = directory / "stderr.txt"
        self.strays: list[int] = []
        """Workers whose supervisor was killed."""
        self._config_file = directory / "sluicegate.yaml"
        config = base_config(directory, workers=workers, drain_timeout="1s", **sections)
        config["log"]["level"] = "warning"
        self.log = Path(config["log"]["file"])
        write_config(self._config_file, config)
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: socket.socket | None = None

    async def start(self, *, cut_short_after_s: float | None = None) -> float:
        """Start it, or kill it when it has had so long to start; how many seconds it took."""
        began = time.monotonic()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        if self._ready is not None:
            self._ready.close()
        self._ready = ours  # kept open: its end would end the proxy
        with self.errors.open("ab") as stderr:
            with theirs:
                command = [*COMMAND, "serve", "--config", str(self._config_file), "--ready-fd", str(theirs.fileno())]
                self._process = subprocess.Popen(
                    command, stdout=stderr, stderr=stderr, pass_fds=[theirs.fileno()], env=clean_environ()
                )
            try:
                async with asyncio.timeout(cut_short_after_s or _START_S):
                    line = await _line(ours)
            except TimeoutError:
                if cut_short_after_s is None:
                    raise
                self.kill_all()
                return time.monotonic() - began
        assert line, f"the proxy did not start: {self.errors.read_text()}"
        host, _, port = json.loads(line)["listen"].rpartition(":")
        self.address = host, int(port)
        self.up.set()
        return time.monotonic() - began

    def worker_pids(self) -> list[int]:
        """The processes below the supervisor."""
        if self._process is None or self.workers == 1:
            return []
        pid = self._process.pid
        try:
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def kill_all(self) -> None:
        """Everything, in one moment."""
        self.up.clear()
        pids = self.worker_pids()
        self._kill_first()
        _kill(pids)

    def kill_supervisor(self) -> None:
        """The supervisor alone; its workers notice by themselves."""
        self.up.clear()
        self.strays += self.worker_pids()
        self._kill_first()

    def kill_worker(self, index: int) -> None:
        """One worker."""
        _kill(self.worker_pids()[index : index + 1])

    async def whole_again(self, before: list[int]) -> None:
        """Wait until a worker that was killed has been replaced."""
        await until(lambda: len(set(self.worker_pids()) | set(before)) > len(before), "another worker")

    async def alone(self) -> None:
        """Wait until no worker is left of a supervisor that was killed."""
        await until(lambda: not any(map(_is_alive, self.strays)), "the end of workers without a supervisor")
        self.strays.clear()

    def stop(self) -> None:
        """Leave nothing behind."""
        self.kill_all()
        _kill([pid for pid in self.strays if _is_alive(pid)])
        if self._ready is not None:
            self._ready.close()

    def _kill_first(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


async def _line(ours: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        data = await asyncio.get_running_loop().sock_recv(ours, 4096)
        if not data:
            return b""
        line += data
    return line


async def until(condition: Callable[[], bool], what: str, deadline_s: float = 30.0) -> None:
    """Look until it is so; TimeoutError says what was waited for in vain."""
    give_up = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {deadline_s} s in vain for {what}")
        await asyncio.sleep(0.01)


def _kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _is_alive(pid: int) -> bool:
    """Whether that is still one of our workers."""
    try:
        return b"sluicegate.workers.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
