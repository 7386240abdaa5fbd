import os
import signal
import sys
from pathlib import Path

import pytest

from sluicegate.cli import proxy_process as module
from sluicegate.cli.foreground import Interrupted
from sluicegate.cli.proxy_process import proxy_process
from sluicegate.errors import StartError
from support.proxy import wait_until
from support.stand_in import Plan

STAND_IN = Path(__file__).parents[1] / "support" / "stand_in_serve.py"


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SERVE", (sys.executable, str(STAND_IN)))
    plan = Plan(tmp_path / "notes")
    monkeypatch.setenv("STAND_IN", plan.variable())
    return plan


def test_the_proxy_is_ready_inside_and_ended_outside(plan):
    with proxy_process(["--rate-default", "5/second"], drain_s=10) as proxy:
        assert proxy.listen == "127.0.0.1:4128"
        pid = proxy.process.pid

    assert plan.arguments()[:2] == ["--rate-default", "5/second"]
    assert plan.lines()[-2:] == ["signal 15", "ended"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_terminals_signals_do_not_reach_it(plan):
    with proxy_process([], drain_s=10) as proxy:
        assert os.getsid(proxy.process.pid) != os.getsid(0)


def test_totals_are_what_the_status_says(plan, monkeypatch):
    monkeypatch.setenv("STAND_IN", plan.variable(totals={"requests": 3}))

    with proxy_process([], drain_s=10) as proxy:
        assert proxy.totals() == {"requests": 3}
        assert proxy.failure() is None


def test_without_an_admin_server_there_are_no_totals(plan):
    with proxy_process([], drain_s=10) as proxy:
        proxy.admin = ""
        assert proxy.totals() is None
        proxy.admin = "127.0.0.1:1"
        assert proxy.totals() is None


def test_a_proxy_that_does_not_start_tells_why(plan, monkeypatch):
    monkeypatch.setenv("STAND_IN", plan.variable(dies=2))

    with (
        pytest.raises(StartError, match=r"^the proxy did not start: port 3128 is in use$"),
        proxy_process([], drain_s=10),
    ):
        pass


def test_a_proxy_that_is_never_ready_is_given_up(plan, monkeypatch):
    monkeypatch.setenv("STAND_IN", plan.variable(hangs=True))
    monkeypatch.setattr(module, "_READY_TIMEOUT_S", 0.2)

    with pytest.raises(StartError, match="not ready"), proxy_process([], drain_s=10):
        pass


def test_a_proxy_that_ends_meanwhile_is_told(plan):
    with proxy_process([], drain_s=10) as proxy:
        proxy.process.kill()
        proxy.process.wait()

        assert proxy.failure() == "the proxy ended (signal 9)"
        assert proxy.totals() is None


def test_a_proxy_that_drains_too_long_is_told_twice(plan, monkeypatch):
    monkeypatch.setenv("STAND_IN", plan.variable(stubborn=True))

    with proxy_process([], drain_s=0.2):
        pass

    assert plan.lines()[-3:] == ["signal 15", "signal 15", "ended"]


def test_a_proxy_that_hangs_is_killed(plan, monkeypatch):
    monkeypatch.setenv("STAND_IN", plan.variable(deaf=True))
    monkeypatch.setattr(module, "_KILL_AFTER_S", 0.2)

    with proxy_process([], drain_s=0.2) as proxy:
        process = proxy.process

    assert process.returncode == -signal.SIGKILL


def test_an_impatient_user_cuts_the_draining_short(plan, monkeypatch):
    monkeypatch.setenv("STAND_IN", plan.variable(stubborn=True))

    with proxy_process([], drain_s=3600) as proxy:
        wait = proxy.process.wait

        def interrupted_once(timeout=None):
            monkeypatch.setattr(proxy.process, "wait", wait)
            wait_until(lambda: "signal 15" in plan.lines(), "the first SIGTERM")
            raise Interrupted(signal.SIGINT)

        monkeypatch.setattr(proxy.process, "wait", interrupted_once)

    assert plan.lines()[-1] == "ended"
