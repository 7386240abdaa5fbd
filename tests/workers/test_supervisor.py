"""Real processes: what somebody who uses several workers sees."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.held import Held, begin
from support.origin import ThreadedOrigin, answer, response
from support.proxy import COMMAND, base_config, clean_environ, read_all, running_proxy, wait_until, write_config
from support.windows import JITTER_S, Stopwatch, worst_window

OK = answer(response(body=b"ok", fields=[("Cache-Control", "no-store")]))
CACHEABLE = answer(response(body=b"kept", fields=[("Cache-Control", "max-age=600")]))


@pytest.fixture
def held():
    handler = Held()
    yield handler
    handler.release.set()


def workers(proxy):
    return proxy.status()["workers"]


def everyone_serves(proxy, url):
    """Ask until each worker has answered; how many requests that took."""
    before = {worker["worker"]: worker["requests"] for worker in workers(proxy)}
    numbers = itertools.count(1)

    def done():
        asked = next(numbers)
        proxy.get(url)
        return asked if all(worker["requests"] > before[worker["worker"]] for worker in workers(proxy)) else 0

    return wait_until(done, "every worker to answer something", 60)


def metric(proxy, name):
    """The sum over all label values."""
    lines = proxy.ask_admin("/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def lives(pid):
    """Whether a process runs; one that has ended and only was not asked how does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_share_port_and_cache_and_are_seen_as_one(tmp_path):
    with ThreadedOrigin(CACHEABLE) as origin, running_proxy(tmp_path, workers=2) as proxy:
        assert proxy.ask_admin("/readyz").status == 200
        proxy.get(origin.url + "/a")
        wait_until(lambda: proxy.get(origin.url + "/a").get("Cache-Status").count("hit"), "the response to be kept")
        asked = everyone_serves(proxy, origin.url + "/a")
        status = proxy.status()

        assert len(origin.log) <= 2, "both workers answer from the one cache"
        assert asked <= status["totals"]["requests"] == sum(worker["requests"] for worker in status["workers"])
        assert metric(proxy, "sluicegate_requests_total") == status["totals"]["requests"]
        assert 1 <= metric(proxy, "sluicegate_cache_entries") <= len(origin.log)
        assert (status["pid"], status["listen"]) == (proxy.process.pid, f"127.0.0.1:{proxy.port}")
        assert [worker["restarts"] for worker in status["workers"]] == [0, 0]
        assert 'sluicegate_process_resident_memory_bytes{worker="2"}' in proxy.ask_admin("/metrics").body.decode()

        assert proxy.stop() == 0
        told = [line["event"] for line in proxy.log_lines(stage="lifecycle")]
        assert sorted(told) == ["draining", "started", "stopped", "worker_started", "worker_started"]
        assert (told[-3:], proxy.log_lines(event="started")[0]["workers"]) == (["started", "draining", "stopped"], 2)
        ids = [line["request_id"] for line in proxy.log_lines(event="access")]
        assert len(ids) == len(set(ids)) == status["totals"]["requests"]


def test_a_killed_worker_takes_nobody_along_is_replaced_and_sums_never_go_back(tmp_path, held):
    with ThreadedOrigin(held) as origin, running_proxy(tmp_path, workers=2) as proxy:
        quick = origin.url + "/quick"
        everyone_serves(proxy, quick)
        with begin(proxy, origin) as client:
            assert held.half_sent.wait(20)
            wait_until(lambda: any(worker["under_way"] for worker in workers(proxy)), "the download to be seen")
            victim = next(worker for worker in workers(proxy) if not worker["under_way"])
            requests = proxy.status()["totals"]["requests"]
            permits = metric(proxy, "sluicegate_upstream_responses_total")

            os.kill(victim["pid"], signal.SIGKILL)
            died = proxy.await_log(event="worker_died")
            assert (died["pid"], died["how"], died["level"]) == (victim["pid"], "signal 9, SIGKILL", "error")
            assert proxy.get(quick).body == b"ok", "the other worker serves meanwhile"
            assert proxy.status()["totals"]["requests"] == requests + 1
            assert metric(proxy, "sluicegate_upstream_responses_total") == permits + 1

            wait_until(lambda: len(proxy.log_lines(event="worker_started")) == 3, "another worker")
            assert everyone_serves(proxy, quick) > 0
            after = next(worker for worker in workers(proxy) if worker["worker"] == victim["worker"])
            assert after["restarts"] == 1
            assert after["pid"] != victim["pid"]
            assert metric(proxy, "sluicegate_requests_total") > requests + 1

            held.release.set()
            host = client.recv(65536)
            while not host.endswith(b"halfdone"):
                data = client.recv(65536)
                assert data, host
                host += data


def test_a_worker_told_to_end_by_itself_finishes_its_work_and_is_replaced(tmp_path, held):
    with ThreadedOrigin(held) as origin, running_proxy(tmp_path, workers=2, drain_timeout="1m") as proxy:
        with begin(proxy, origin) as client:
            assert held.half_sent.wait(20)
            busy = wait_until(
                lambda: next((worker for worker in workers(proxy) if worker["under_way"]), None), "the download"
            )
            for number in (signal.SIGINT, signal.SIGHUP):
                os.kill(busy["pid"], number)
            everyone_serves(proxy, origin.url + "/quick")
            os.kill(busy["pid"], signal.SIGTERM)
            os.kill(busy["pid"], signal.SIGTERM)
            held.release.set()
            assert read_all(client).endswith(b"halfdone")

        assert proxy.await_log(event="worker_died")["how"] == "exit code 0"
        wait_until(lambda: len(proxy.log_lines(event="worker_started")) == 3, "another worker")
        assert proxy.status()["totals"]["requests"] == len(proxy.log_lines(event="access")) > 1


def test_a_stuck_worker_is_told_of_and_holds_up_nothing(tmp_path):
    with ThreadedOrigin(OK) as origin, running_proxy(tmp_path, workers=2) as proxy:
        everyone_serves(proxy, origin.url)
        before = metric(proxy, "sluicegate_requests_total")
        stuck = workers(proxy)[0]
        os.kill(stuck["pid"], signal.SIGSTOP)
        try:
            wait_until(lambda: not workers(proxy)[0]["responding"], "the worker to be seen as stuck")
            assert metric(proxy, "sluicegate_requests_total") == before
            assert workers(proxy)[1]["responding"]
        finally:
            os.kill(stuck["pid"], signal.SIGCONT)
        wait_until(lambda: workers(proxy)[0]["responding"], "the worker to answer again")


def test_a_changed_limit_holds_in_every_worker_a_bad_file_in_none_and_a_new_worker_has_what_is_in_force(tmp_path):
    def limited(rates):
        return base_config(tmp_path, workers=2, limits={"hosts": {"127.0.0.1": {"rates": rates, "max_wait": "0s"}}})

    with ThreadedOrigin(OK) as origin, running_proxy(tmp_path, **limited("unlimited")) as proxy:
        everyone_serves(proxy, origin.url)
        proxy.reconfigure(limited("3/hour"))
        assert proxy.await_log(event="reloaded")["changed"] == ['limits.hosts."127.0.0.1".rates']
        before = len(origin.log)
        everyone_serves(proxy, origin.url)
        everyone_serves(proxy, origin.url)
        proxy.reconfigure(limited("10/fortnight"))
        proxy.await_log(event="reload_failed")
        os.kill(workers(proxy)[0]["pid"], signal.SIGKILL)
        wait_until(lambda: len(proxy.log_lines(event="worker_started")) == 3, "another worker")
        everyone_serves(proxy, origin.url)

        assert len(origin.log) - before <= 3
        assert len(proxy.log_lines(event="reloaded")) == 1, "told once, not by each"
        proxy.reconfigure(limited("unlimited") | {"workers": 3})
        assert proxy.await_log(event="restart_needed")["keys"] == ["workers"]
        assert len(workers(proxy)) == 2
        assert proxy.get(origin.url).status == 200


def test_two_workers_keep_a_limit_at_the_origin(tmp_path):
    limits = {"hosts": {"127.0.0.1": {"rates": ["20/second"], "concurrency": 64, "max_wait": "1m"}}}
    with Stopwatch("127.0.0.1") as origin, running_proxy(tmp_path, workers=2, limits=limits) as proxy:
        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda number: proxy.get(f"{origin.url}/{number}").status, range(80)))

        assert statuses == [200] * 80
        assert all(worker["requests"] for worker in workers(proxy)), "both had a part in it"
        assert len(origin.times()) == 80
        assert worst_window(origin.times(), 1 - JITTER_S) <= 20


def test_the_log_of_three_workers_is_whole_lines_through_rotation(tmp_path):
    log = {"file": str(tmp_path / "proxy.log"), "level": "debug", "rotate_size": "64KiB", "rotate_keep": 1000}
    with ThreadedOrigin(OK) as origin, running_proxy(tmp_path, workers=3, log=log) as proxy:

        def ask(number):
            proxy.get(f"{origin.url}/{number}/{'x' * 900}")

        with ThreadPoolExecutor(24) as pool:
            list(pool.map(ask, range(600)))
        assert proxy.stop() == 0

    files = list(tmp_path.glob("proxy.log*"))
    assert len(files) > 5
    lines = [
        json.loads(line) for file in files for line in file.read_text().splitlines(keepends=True) if line[-1] == "\n"
    ]
    paths = [int(line["url"].split("/")[3]) for line in lines if line["event"] == "access"]
    assert sorted(paths) == list(range(600))
    assert not [line for line in lines if line["event"] == "log_lines_dropped"]


def test_draining_finishes_what_one_worker_has_while_the_others_have_nothing(tmp_path, held):
    with ThreadedOrigin(held) as origin, running_proxy(tmp_path, workers=2, drain_timeout="1m") as proxy:
        with begin(proxy, origin) as client:
            assert held.half_sent.wait(20)
            pids = [worker["pid"] for worker in workers(proxy)]
            proxy.signal(signal.SIGTERM)
            assert proxy.await_log(event="draining")["under_way"] == 1
            with pytest.raises(ConnectionRefusedError):
                proxy.raw()
            assert proxy.ask_admin("/readyz").status == 503
            wait_until(lambda: [lives(pid) for pid in pids].count(True) == 1, "the idle worker to leave")
            held.release.set()

            assert read_all(client).endswith(b"halfdone")
        assert proxy.process.wait(20) == 0
        assert not any(map(lives, pids))
        assert proxy.log_lines()[-1]["event"] == "stopped"


def test_a_second_sigterm_ends_all_at_once(tmp_path, held):
    with ThreadedOrigin(held) as origin, running_proxy(tmp_path, workers=2, drain_timeout="1h") as proxy:
        with begin(proxy, origin):
            assert held.half_sent.wait(20)
            pids = [worker["pid"] for worker in workers(proxy)]
            proxy.signal(signal.SIGINT)
            proxy.await_log(event="draining")

            assert proxy.stop() == 0
            held.release.set()
        assert not any(map(lives, pids))


def test_workers_do_not_outlive_a_killed_supervisor_but_finish_their_work(tmp_path, held):
    with ThreadedOrigin(held) as origin, running_proxy(tmp_path, workers=2, drain_timeout="1m") as proxy:
        pids = [worker["pid"] for worker in workers(proxy)]
        with begin(proxy, origin) as client:
            assert held.half_sent.wait(20)
            proxy.process.kill()
            proxy.process.wait(20)
            wait_until(lambda: [lives(pid) for pid in pids].count(True) == 1, "the idle worker to leave")
            held.release.set()
            assert read_all(client).endswith(b"halfdone")
        wait_until(lambda: not any(map(lives, pids)), "all workers to leave")


def start_in_vain(tmp_path, **sections):
    config = tmp_path / "sluicegate.yaml"
    write_config(config, base_config(tmp_path, workers=2, **sections))
    command = [*COMMAND, "serve", "--config", str(config)]
    done = subprocess.run(command, env=clean_environ(), capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done


def test_a_busy_port_is_an_error_as_with_one_process(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = start_in_vain(tmp_path, listen=f"127.0.0.1:{taken.getsockname()[1]}")

    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    assert "--listen" in done.stderr


def test_what_keeps_a_worker_from_starting_is_told_as_with_one_process(tmp_path):
    (tmp_path / "state" / "permits.sqlite3").mkdir(parents=True)

    done = start_in_vain(tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "permits.sqlite3" in done.stderr


def test_run_may_have_several_workers_too(tmp_path):
    environ = clean_environ(SLUICEGATE_STATE_DIR=str(tmp_path / "state"), SLUICEGATE_WORKERS="2")
    get = "import os, urllib.request as r; print(r.urlopen(os.environ['ORIGIN']).read())"
    with ThreadedOrigin(OK) as origin:
        done = subprocess.run(
            [*COMMAND, "run", "--proxy-loopback", "--", sys.executable, "-c", get],
            env=environ | {"ORIGIN": origin.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stdout) == (0, "b'ok'\n"), done.stderr
    assert "1 request, " in done.stderr
    lines = [json.loads(line) for line in (tmp_path / "state" / "run.log").read_text().splitlines()]
    assert lines[-1]["event"] == "stopped"
    assert not any(lives(line["pid"]) for line in lines if line["event"] == "worker_started")
