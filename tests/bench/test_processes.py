import os
import signal
import subprocess
import sys

import pytest

from bench.processes import PAGE_BYTES, TICKS_PER_S, BenchError, Stat, family, parse_stat, program, read_stats, serving
from support.proxy import wait_until

LINE = "4217 (odd ) (name) S 17 4217 4217 0 -1 4194560 9 0 0 0 250 50 7 7 20 0 3 0 99 123456 321 18446744073709551615 1 1\n"
FORK = "import os, signal; os.fork(); print(os.getpid(), flush=True); signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"


def has_lines(file, count):
    return file.read_text().count("\n") >= count


def runs(pid):
    return any(stat.pid == pid and stat.resident_bytes for stat in read_stats())


def test_a_process_is_read_from_its_stat_line_whatever_it_is_called():
    assert parse_stat(LINE) == Stat(4217, 17, 300 / TICKS_PER_S, 321 * PAGE_BYTES)


def test_our_own_stat_line_is_understood():
    (ours,) = [stat for stat in read_stats() if stat.pid == os.getpid()]

    assert ours.parent == os.getppid()
    assert ours.resident_bytes > 1024 * 1024


def test_a_family_is_a_process_with_all_its_descendants_and_nobody_else():
    everyone = [Stat(pid, parent, 0, 0) for pid, parent in ((3, 2), (2, 1), (1, 0), (9, 0), (4, 2))]

    assert {stat.pid for stat in family(2, everyone)} == {2, 3, 4}


@pytest.mark.parametrize(("before", "ended_by"), [("", signal.SIGTERM), (DEAF, signal.SIGKILL)])
def test_a_server_is_gone_with_its_children_after_its_context_however_that_ends(
    tmp_path, monkeypatch, before, ended_by
):
    monkeypatch.setattr("bench.processes.STOP_TIMEOUT_S", 0.1 if before else 60)
    command = [sys.executable, "-c", before + FORK]
    forked = tmp_path / "server.out"
    servers, family_pids = [], []

    def interrupted():
        with serving("server", command, lambda: has_lines(forked, 2), tmp_path) as server:
            family_pids.extend(int(pid) for pid in forked.read_text().split())
            servers.append(server)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert [server.process.returncode for server in servers] == [-ended_by]
    wait_until(lambda: not any(runs(pid) for pid in family_pids), "the whole family to be gone")


def test_a_server_that_ends_instead_of_starting_is_reported_with_what_it_said(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('the port is taken')"]

    with (
        pytest.raises(BenchError, match="server ended with exit code 1: the port is taken"),
        serving("server", command, lambda: False, tmp_path),
    ):
        pytest.fail("it did start")


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
