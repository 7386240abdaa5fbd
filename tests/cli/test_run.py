import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.cli.run import NOTHING_ARRIVED, summary
from support.proxy import COMMAND, clean_environ, wait_until
from support.stand_in import Plan

RUN = (sys.executable, str(Path(__file__).parents[1] / "support" / "run_with_stand_in.py"), "run")
TOTALS = {
    "requests": 12,
    "hits": 7,
    "bytes_from_cache": 1_400_000,
    "wait_s": 3.21,
    "upstream_requests": 5,
    "rejected": 0,
}


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def plan(tmp_path):
    return Plan(tmp_path / "notes")


@pytest.fixture
def run(plan, state_dir):
    """`sluicegate run` with the stand-in, to its end: `run("--quiet", "--", "true", totals=…)`."""

    def run(*arguments, environ=None, **orders):
        return subprocess.run(
            [*RUN, "--state-dir", state_dir, *arguments],
            env=clean_environ(STAND_IN=plan.variable(**orders), **(environ or {})),
            check=False,
            capture_output=True,
            text=True,
        )

    return run


@contextlib.contextmanager
def _started(plan, state_dir, *command):
    environ = clean_environ(STAND_IN=plan.variable(totals=TOTALS))
    process = subprocess.Popen(
        [*RUN, "--state-dir", state_dir, "--", *command],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_output_input_and_exit_code_are_the_commands_own(run):
    done = run("--", "sh", "-c", "echo out; echo err >&2; exit 3", totals=TOTALS)

    assert done.returncode == 3
    assert done.stdout == "out\n"
    assert done.stderr == (
        "err\nsluicegate: 12 requests, 7 from the cache (1.4 MB saved), 5 sent to origins, waited 3.2 s for limits\n"
    )


def test_the_command_gets_the_address_of_the_proxy_and_files_to_trust(run, state_dir):
    done = run("--bypass", "up.test", "--", "sh", "-c", 'echo "$https_proxy $NO_PROXY"; cat "$SSL_CERT_FILE"')

    address, _, bundle = done.stdout.partition("\n")
    assert address == "http://127.0.0.1:4128 localhost,.localhost,127.0.0.1,::1,up.test,.up.test"
    assert (state_dir / "ca" / "mitmproxy-ca-cert.pem").read_text() in bundle


def test_with_proxy_loopback_nothing_goes_round(run):
    done = run("--proxy-loopback", "--", "sh", "-c", 'echo "[$no_proxy]"', environ={"no_proxy": "localhost"})

    assert done.stdout == "[]\n"


def test_a_command_needs_no_dashes_and_keeps_its_own_options(run):
    assert run("--quiet", "sh", "-c", 'echo "$0 $*"', "--quiet", "--help").stdout == "--quiet --help\n"


def test_the_proxy_gets_our_options_free_ports_and_a_log_off_the_terminal(run, plan, state_dir):
    run("--rate-host", "x.test=5/second", "--cache", "private", "--", "true")

    arguments = plan.arguments()
    pairs = set(itertools.pairwise(arguments))
    assert {
        ("--listen", "127.0.0.1:0"),
        ("--admin", "127.0.0.1:0"),
        ("--log-file", str(state_dir / "run.log")),
        ("--state-dir", str(state_dir)),
        ("--rate-host", "x.test=5/second"),
        ("--cache", "private"),
    } <= pairs


def test_a_log_file_that_was_asked_for_is_kept(run, plan, tmp_path):
    run("--log-file", str(tmp_path / "mine.log"), "--", "true")

    assert plan.arguments().count("--log-file") == 1
    assert str(tmp_path / "mine.log") in plan.arguments()


def test_quiet_says_nothing(run):
    assert run("--quiet", "--", "aria2c-is-not-here").stderr == "sluicegate: aria2c-is-not-here: command not found\n"
    assert run("--quiet", "--", "true", totals=TOTALS).stderr == ""


def test_a_run_without_a_request_says_so_and_why(run):
    assert run("--", "true", totals={"requests": 0}).stderr == f"sluicegate: {NOTHING_ARRIVED}\n"


def test_the_exit_codes_of_what_cannot_be_started_are_the_shells(run, tmp_path):
    (tmp_path / "data").write_text("x")

    assert run("--", "no-such-command").returncode == 127
    assert run("--", str(tmp_path / "data")).returncode == 126


def test_a_proxy_that_does_not_start_is_exit_2_and_the_command_never_runs(run):
    done = run("--", "echo", "ran", dies=2)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: the proxy did not start: port 3128 is in use\n"


def test_a_proxy_that_dies_meanwhile_is_told_and_the_exit_code_stays(run, plan):
    kill = f"kill -9 $(sed -n 's/^pid \\([0-9]*\\).*/\\1/p' {plan.notes}); exit 5"
    done = run("--", "sh", "-c", kill)

    assert done.returncode == 5
    assert "sluicegate: the proxy ended (signal 9)" in done.stderr
    assert "run.log" in done.stderr


def test_a_bad_configuration_is_exit_2_before_anything_starts(run, plan):
    done = run("--rate-default", "10/fortnight", "--", "echo", "ran")

    assert (done.returncode, done.stdout, plan.lines()) == (2, "", [])
    assert "10/fortnight" in done.stderr


def test_a_host_to_bypass_that_is_none_is_a_usage_error(run):
    done = run("--bypass", "http://up.test", "--", "true")

    assert done.returncode == 2
    assert "is no host name" in done.stderr


def test_a_proxy_of_the_environment_that_is_not_used_is_told_without_its_password(run):
    done = run("--", "true", totals=TOTALS, environ={"https_proxy": "http://me:secret@corp.example:8080"})

    assert "the proxy named by the environment (corp.example) is not used" in done.stderr
    assert "secret" not in done.stderr


def test_a_program_that_needs_a_flag_is_told(run, tmp_path):
    (tmp_path / "aria2c").symlink_to("/bin/true")

    assert "add --ca-certificate=" in run("--", str(tmp_path / "aria2c")).stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_command_then_the_proxy(plan, state_dir, number):
    with _started(plan, state_dir, "sh", "-c", "echo started; exec sleep 3600") as process:
        assert process.stdout.readline() == "started\n"

        process.send_signal(number)

        assert process.wait() == 128 + number
        assert plan.lines()[-2:] == ["signal 15", "ended"]
        assert "12 requests" in process.stderr.read()


def test_a_command_that_handles_its_signal_decides_about_the_exit_code(plan, state_dir):
    script = "trap 'echo bye; exit 7' TERM; echo started; while :; do sleep 0.05; done"
    with _started(plan, state_dir, "sh", "-c", script) as process:
        assert process.stdout.readline() == "started\n"

        process.terminate()

        assert process.stdout.read() == "bye\n"
        assert process.wait() == 7


def test_when_we_are_killed_the_proxy_learns_it(plan, state_dir):
    with _started(plan, state_dir, "sh", "-c", "echo $$; exec sleep 3600") as process:
        command = int(process.stdout.readline())

        process.kill()

        wait_until(lambda: "ended" in plan.lines(), "the proxy's end")
        assert "orphaned" in plan.lines()
        os.kill(command, signal.SIGKILL)


@pytest.mark.parametrize(
    ("totals", "line"),
    [
        (
            {"requests": 1, "hits": 0, "upstream_requests": 1},
            "1 request, 0 from the cache (0 B saved), 1 sent to origins, waited 0.0 s for limits",
        ),
        (
            TOTALS | {"rejected": 2, "bytes_from_cache": 5_000_000_000_000},
            "12 requests, 7 from the cache (5.0 TB saved), 5 sent to origins, waited 3.2 s for limits, 2 rejected by limits",
        ),
    ],
)
def test_the_summary_golden(totals, line):
    assert summary(totals) == line


def test_with_the_real_proxy_a_second_run_gets_it_from_the_cache(tmp_path):
    fetch = "import urllib.request as r; print(r.urlopen(%r).read().decode())"
    with _origin() as (url, seen):
        runs = [
            subprocess.run(
                [*COMMAND, "run", "--proxy-loopback", "--state-dir", tmp_path, "--", sys.executable, "-c", fetch % url],
                env=clean_environ(), check=False, capture_output=True, text=True,
            )
            for _ in range(2)
        ]  # fmt: skip

    assert [run.stdout for run in runs] == ["hello\n", "hello\n"], runs
    assert seen == ["/a"]
    assert "1 request, 0 from the cache (0 B saved), 1 sent to origins" in runs[0].stderr
    assert "1 request, 1 from the cache (5 B saved), 0 sent to origins" in runs[1].stderr
    assert [json.loads(line)["event"] for line in (tmp_path / "run.log").read_text().splitlines()].count("stopped") == 2


@contextlib.contextmanager
def _origin():
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.send_response(200)
            self.send_header("Cache-Control", "max-age=3600")
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/a", seen
        finally:
            server.shutdown()
            thread.join()
