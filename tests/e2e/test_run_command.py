"""`sluicegate run -- CMD` and `sluicegate env`, as a user at a terminal meets them."""

import contextlib
import os
import pty
import shlex
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.clients import PER_SECOND, client_environ
from support.origin import ThreadedOrigin, answer, hang, response
from support.proxy import COMMAND, base_config, running_proxy, write_config
from support.windows import JITTER_S, worst_window

OK = answer(response(body=b"ok", fields=[("Cache-Control", "max-age=600")]))


@dataclass
class Ended:
    """A `sluicegate run` that has ended."""

    code: int
    output: str
    errors: str

    @property
    def variables(self):
        """The environment that its command printed with `env`."""
        return dict(line.split("=", 1) for line in self.output.splitlines() if "=" in line)


def start_run(directory, *command, options=(), **environ):
    """`sluicegate run` with `command` on the state directory `directory`/state, started and not waited for."""
    file = directory / "sluicegate.yaml"
    config = base_config(directory)
    del config["log"]
    write_config(file, config)
    return subprocess.Popen(
        [*COMMAND, "run", "--config", str(file), *options, "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=client_environ(directory, **environ),
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Three commands, each in a `run` of its own, all on one new state directory at the same time."""
    directory = tmp_path_factory.mktemp("ended")
    with ThreadedOrigin(OK) as origin:
        one, other = f"{origin.url}/one", f"{origin.url}/other"
        proxied = f"env; curl -sS {one}; curl -sS {one}; curl -sS {other}; exit 3"
        runs = {
            "three": start_run(
                directory, "sh", "-c", proxied, options=["--proxy-loopback"], no_proxy="a.test", NO_PROXY="b.test,127.0.0.1"
            ),
            "missing": start_run(directory, "no-such-program"),
            "killed": start_run(directory, "sh", "-c", "env; kill -KILL $$", no_proxy="a.test", NO_PROXY="b.test"),
        }  # fmt: skip
        said = {name: run.communicate(timeout=60) for name, run in runs.items()}
        yield {name: Ended(runs[name].returncode, *texts) for name, texts in said.items()}


@pytest.mark.parametrize(("name", "code"), [("three", 3), ("missing", 127), ("killed", 128 + 9)])
def test_the_exit_code_is_the_commands_own(ended, name, code):
    """And 0 is 0: `wrapped_shell` sees to that."""
    assert ended[name].code == code


def test_one_line_sums_up_what_the_proxy_did(ended):
    assert ended["three"].errors == (
        "sluicegate: 3 requests, 1 from the cache (2 B saved), 2 sent to origins, waited 0.0 s for limits\n"
    )


def test_a_command_that_does_not_exist_is_named(ended):
    assert ended["missing"].errors == "sluicegate: no-such-program: command not found\n"


def test_no_proxy_is_kept_and_loopback_added(ended):
    variables = ended["killed"].variables
    assert variables["no_proxy"].split(",") == ["a.test", "b.test", "localhost", ".localhost", "127.0.0.1", "::1"]
    assert variables["NO_PROXY"] == variables["no_proxy"]


def test_with_proxy_loopback_no_proxy_does_not_name_loopback(ended):
    variables = ended["three"].variables
    assert variables["no_proxy"] == variables["NO_PROXY"] == "a.test,b.test"


def test_a_command_that_asks_for_nothing_is_told_why(ended):
    assert ended["killed"].errors.startswith("sluicegate: no request arrived at the proxy.")


def processes_naming(path):
    """Processes whose command line names `path`."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(path).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def test_ctrl_c_ends_the_command_and_the_proxy(tmp_path):
    file = tmp_path / "sluicegate.yaml"
    write_config(file, base_config(tmp_path))
    terminal, theirs = pty.openpty()
    with ThreadedOrigin(hang) as origin, os.fdopen(terminal, "r+b", buffering=0) as keyboard:
        url = f"{origin.url}/{tmp_path.name}"
        run = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *COMMAND, "run", "--proxy-loopback", "--config", str(file), "--", "curl", url],
            stdin=theirs, stdout=theirs, stderr=theirs, env=client_environ(tmp_path),
        )  # fmt: skip
        os.close(theirs)
        origin.until(lambda origin: origin.open == 1, 60)
        assert len(processes_naming(file)) >= 2
        keyboard.write(b"\x03")

        assert run.wait(30) == 128 + signal.SIGINT
        assert processes_naming(file) == []
        assert processes_naming(url) == []
        origin.until(lambda origin: origin.open == 0)


def test_two_runs_at_once_share_one_limit(shells):
    count = PER_SECOND + 1
    with ThreadedOrigin(OK, host="127.0.0.11") as origin:
        threads = [
            threading.Thread(target=shell.call, args=["curl", "-sS", f"{origin.url}/{name}/[1-{count}]"])
            for name, shell in enumerate(shells)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(origin.log) == 2 * count
        times = [[seen.at for seen in origin.log if seen.target.startswith(f"/{name}/")] for name in range(2)]
        assert max(map(min, times)) < min(map(max, times)), "the runs were not at once"
        assert worst_window((seen.at for seen in origin.log), 1 - JITTER_S) <= PER_SECOND


def test_a_shell_that_evaluates_env_uses_the_running_proxy(tmp_path):
    with ThreadedOrigin(OK) as origin, running_proxy(tmp_path) as proxy:
        env = shlex.join([*COMMAND, "env", "--format", "sh", "--proxy-loopback", "--config", str(proxy.config_file)])
        listen = shlex.join(["--listen", f"{proxy.host}:{proxy.port}"])
        script = f'eval "$({env} {listen})"; curl -sS {origin.url}/seen; echo; echo "$http_proxy"'
        shell = subprocess.run(
            ["sh", "-c", script], env=client_environ(tmp_path), capture_output=True, text=True, check=True, timeout=60
        )

        assert (shell.stdout, shell.stderr) == (f"ok\n{proxy.url}\n", "")
        assert proxy.await_log(event="access")["url"] == f"{origin.url}/seen"
