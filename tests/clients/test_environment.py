import subprocess
import sys
from dataclasses import replace

import pytest

from sluicegate.clients.environment import environment
from sluicegate.clients.trust import BUNDLE_VARIABLES
from sluicegate.errors import StartError

PROXY = "http://127.0.0.1:4128"


@pytest.fixture
def base(tmp_path):
    return {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "npm_config_globalconfig": str(tmp_path / "none")}


def _environment(authority, base, tmp_path, **changed):
    options = {"proxy_loopback": False, "bypass": (), "java": False, "cwd": tmp_path}
    return environment(PROXY, authority, base, **(options | changed))


def test_exactly_these_variables_are_set(authority, base, tmp_path):
    assert set(_environment(authority, base, tmp_path)) == {
        "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
        "npm_config_proxy", "npm_config_https_proxy", "NODE_USE_ENV_PROXY", "NODE_EXTRA_CA_CERTS", "WGETRC",
        *BUNDLE_VARIABLES,
    }  # fmt: skip


def test_java_is_reached_only_when_asked(authority, base, tmp_path):
    assert "JAVA_TOOL_OPTIONS" not in _environment(authority, base, tmp_path)
    options = _environment(authority, base, tmp_path, java=True, bypass=["up.test"])["JAVA_TOOL_OPTIONS"]
    assert "localhost|*.localhost|127.0.0.1|[::1]|up.test|*.up.test" in options


def test_bypass_and_loopback_reach_no_proxy(authority, base, tmp_path):
    base["NO_PROXY"] = "corp.example"

    variables = _environment(authority, base, tmp_path, bypass=["up.test"], proxy_loopback=True)

    assert variables["no_proxy"] == variables["NO_PROXY"] == "corp.example,up.test,.up.test"


def test_the_base_is_left_alone(authority, base, tmp_path):
    before = dict(base)

    _environment(authority, base, tmp_path, java=True)

    assert base == before


def test_a_second_command_in_the_same_shell_gets_the_same(authority, base, tmp_path):
    once = _environment(authority, base, tmp_path)

    assert _environment(authority, base | once, tmp_path) == once


def test_files_that_cannot_be_written_are_a_start_error(authority, base, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match="cannot be written under") as caught:
        _environment(replace(authority, confdir=tmp_path / "file"), base, tmp_path)

    assert "--state-dir" in caught.value.advice


@pytest.mark.parametrize(
    ("host", "round_it"),
    [("localhost", True), ("127.0.0.1", True), ("up.test", True), ("a.up.test", True), ("other.test", False)],
)
def test_pythons_own_client_agrees_about_what_goes_round(authority, base, tmp_path, host, round_it):
    variables = _environment(authority, base, tmp_path, bypass=["up.test"])
    script = f"import urllib.request as r; print(bool(r.proxy_bypass({host!r})), r.getproxies()['https'])"

    told = subprocess.run(
        [sys.executable, "-c", script], env=base | variables, check=True, capture_output=True, text=True
    )

    assert told.stdout.split() == [str(round_it), PROXY]


def test_httpx_starts_with_these_variables(authority, base, tmp_path):
    variables = _environment(authority, base, tmp_path)

    subprocess.run([sys.executable, "-c", "import httpx; httpx.Client().close()"], env=base | variables, check=True)
