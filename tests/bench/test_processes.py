import os
import signal
import subprocess
import sys

import pytest

from bench.processes import PAGE_BYTES, TICKS_PER_S, BenchError, Stat, family, parse_stat, program, read_stats, serving
from support.proxy import wait_until

LINE = "4217 (odd ) (name) S 17 4217 4217 0 -1 4194560 9 0 0 0 250 50 7 7 20 0 3 0 99 123456 321 18446744073709551615 1 1\n"
CHILD = "import os, time; print(os.fork(), flush=True); time.sleep(600)"


def test_a_process_is_read_from_its_stat_line_whatever_it_is_called():
    assert parse_stat(LINE) == Stat(4217, 17, 300 / TICKS_PER_S, 321 * PAGE_BYTES)


def test_our_own_stat_line_is_understood():
    (ours,) = [stat for stat in read_stats() if stat.pid == os.getpid()]

    assert ours.parent == os.getppid()
    assert ours.resident_bytes > 1024 * 1024


def test_a_family_is_a_process_with_all_its_descendants_and_nobody_else():
    everyone = [Stat(pid, parent, 0, 0) for pid, parent in ((3, 2), (2, 1), (1, 0), (9, 0), (4, 2))]

    assert {stat.pid for stat in family(2, everyone)} == {2, 3, 4}


def test_a_server_is_gone_after_its_context_even_when_that_fails(tmp_path):
    ready = tmp_path / "server.out"

    with (
        pytest.raises(KeyboardInterrupt),
        serving("server", [sys.executable, "-c", CHILD], ready.read_text, tmp_path) as server,
    ):
        raise KeyboardInterrupt

    assert server.process.returncode == -signal.SIGTERM


def test_a_server_that_does_not_heed_sigterm_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.processes.STOP_TIMEOUT_S", 0.1)
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {CHILD}"
    ready = tmp_path / "server.out"

    with serving("server", [sys.executable, "-c", deaf], ready.read_text, tmp_path) as server:
        child = int(ready.read_text().split()[0]) or int(ready.read_text().split()[1])

    assert server.process.returncode == -signal.SIGKILL
    wait_until(
        lambda: all(stat.pid != child or not stat.resident_bytes for stat in read_stats()), "the child to be gone"
    )


def test_a_server_that_ends_instead_of_starting_is_reported_with_what_it_said(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('the port is taken')"]

    with pytest.raises(BenchError, match="server ended with exit code 1: the port is taken"):
        with serving("server", command, lambda: False, tmp_path):
            pass


def test_a_missing_program_is_reported_with_the_cure():
    with pytest.raises(BenchError, match="scripts/test-programs nosuchprogram"):
        program("nosuchprogram")


def test_ctrl_c_and_its_kin_unwind_the_benchmark_once():
    script = (
        "import os, signal\n"
        "from bench.processes import end_in_order_on_signals\n"
        "end_in_order_on_signals()\n"
        "try:\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "finally:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('cleaned up')\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    ended = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (128 + signal.SIGTERM, "cleaned up\n")
