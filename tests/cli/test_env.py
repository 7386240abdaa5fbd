import os
import socket
import subprocess

import pytest

from support.proxy import COMMAND, clean_environ


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("my state")


@pytest.fixture
def env(state_dir):
    """`sluicegate env` in a shell of the user's: `env("--format", "fish", SHELL=…)`."""

    def env(*arguments, **environ):
        return subprocess.run(
            [*COMMAND, "env", "--state-dir", state_dir, *arguments],
            env=clean_environ(SHELL="/bin/bash") | environ, check=False, capture_output=True, text=True,
        )  # fmt: skip

    return env


def test_eval_in_a_real_shell_sets_the_variables(env, state_dir):
    script = env("--listen", "127.0.0.1:4128").stdout

    told = subprocess.run(
        ["sh", "-c", f'{script}\necho "$http_proxy $HTTPS_PROXY"; head -c 27 "$SSL_CERT_FILE"'],
        env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert told.stdout == "http://127.0.0.1:4128 http://127.0.0.1:4128\n-----BEGIN CERTIFICATE-----"
    assert told.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "environ", "line"),
    [
        ((), {}, "export http_proxy=http://127.0.0.1:3128"),
        ((), {"SHELL": "/usr/bin/fish"}, "set -gx http_proxy 'http://127.0.0.1:3128'"),
        (("--format", "powershell"), {}, "$env:http_proxy = 'http://127.0.0.1:3128'"),
        (("--format", "github"), {}, "http_proxy=http://127.0.0.1:3128"),
        (("--listen", "[::]:99"), {"SLUICEGATE_ACCESS__ALLOW": "[10.0.0.0/8]"}, "export http_proxy='http://[::1]:99'"),
        ((), {"SLUICEGATE_LISTEN": "127.0.0.1:99"}, "export http_proxy=http://127.0.0.1:99"),
    ],
)
def test_address_and_format_come_from_options_configuration_and_shell(env, arguments, environ, line):
    assert line in env(*arguments, **environ).stdout.splitlines()


def test_what_the_shell_has_is_taken_into_account(env):
    lines = env("--bypass", "up.test", "--proxy-loopback", NO_PROXY="corp.example").stdout.splitlines()

    assert "export NO_PROXY=corp.example,up.test,.up.test" in lines


def test_a_container_gets_its_own_environment_and_only_the_files_it_needs(env, state_dir):
    done = env("--format", "docker", NO_PROXY="corp.example")

    assert "corp.example" not in done.stdout
    assert f"SSL_CERT_FILE={state_dir}/ca/bundle.pem" in done.stdout.splitlines()
    assert f"--volume={state_dir}/ca/bundle.pem:{state_dir}/ca/bundle.pem:ro" in done.stderr
    assert "mitmproxy-ca.pem" not in done.stderr


def test_one_is_told_when_nothing_listens(env):
    with socket.create_server(("127.0.0.1", 0)) as server:
        listen = f"127.0.0.1:{server.getsockname()[1]}"
        assert env("--listen", listen).stderr == ""

    assert f"Nothing listens on {listen} yet" in env("--listen", listen).stderr


def test_errors_leave_nothing_to_evaluate(env):
    done = env("--bypass", "a b")

    assert (done.returncode, done.stdout) == (2, "")
