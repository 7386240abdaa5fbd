"""A full disk: requests go on and limits hold; only the cache does without, and says so."""

import contextlib
import http.client
import os
import resource
import subprocess

import pytest

from support.origin import SeenRequest, ThreadedOrigin, answer, response
from support.proxy import running_proxy
from support.windows import JITTER_S, Stopwatch, worst_window

SIZE = 4 * 2**20
BIG = b"x" * (512 * 2**10)


@pytest.fixture
def small_disk(tmp_path):
    """A directory on a disk of 4 MiB, and a function that leaves no room for a process that has its state there."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        yield directory, lambda _process: fill(directory)
        subprocess.run(["umount", str(directory)], check=True)
    else:
        yield directory, bound_files


def fill(directory):
    with contextlib.suppress(OSError), (directory / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert os.statvfs(directory).f_bavail == 0


def bound_files(process):
    """Where nothing may be mounted: no file of the process may grow beyond what a disk of that size could hold."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (SIZE // 2, SIZE // 2))


def test_on_a_full_disk_it_still_forwards_and_still_limits_and_says_what_is_wrong(tmp_path, small_disk):
    directory, leave_no_room = small_disk
    limits = {"hosts": {"127.0.0.1": {"rates": "unlimited"}, "127.0.0.2": {"rates": ["8/second"]}}}

    def big(seen: SeenRequest) -> bytes:
        return response(body=BIG, fields=[("Cache-Control", "max-age=600")])

    with (
        ThreadedOrigin(answer(big)) as free,
        Stopwatch("127.0.0.2") as limited,
        running_proxy(tmp_path, state_dir=str(directory / "state"), limits=limits) as proxy,
    ):
        assert proxy.get(f"{limited.url}/before").status == 200
        leave_no_room(proxy.process)

        for number in range(12):
            reply = proxy.get(f"{free.url}/{number}")
            assert (reply.status, reply.body) == (200, BIG)
        connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=30)
        for number in range(20):
            connection.request("GET", f"{limited.url}/{number}")
            assert connection.getresponse().read() == b"ok"
        connection.close()

        assert proxy.await_log(stage="cache", level="error")["event"].startswith("cache_store_")
        assert proxy.ask_admin("/readyz").status == 200
        assert proxy.stop() == 0

    assert len(limited.times()) == 21
    assert worst_window(limited.times(), 1 - JITTER_S) <= 8
