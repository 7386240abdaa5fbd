"""The addon in a stock `mitmdump -s`, as someone has it who runs mitmproxy already."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.clients import client_environ
from support.origin import ThreadedOrigin, answer, response
from support.proxy import base_config, wait_until, write_config
from support.windows import JITTER_S, worst_window

ADDON = Path(__file__).parents[2] / "addons" / "sluicegate_addon.py"
MITMDUMP = Path(sys.executable).with_name("mitmdump")
PER_SECOND = 3
CACHEABLE = answer(response(body=b"kept", fields=[("Cache-Control", "max-age=600")]))


def start(directory, **variables):
    """`mitmdump -s` on a free port, everything it prints in `directory`/output."""
    with (directory / "output").open("wb") as output:
        return subprocess.Popen(
            [MITMDUMP, "-s", ADDON, "--listen-host", "127.0.0.1", "--listen-port", "0"],
            stdout=output,
            stderr=output,
            env=client_environ(directory, **variables),
        )


@pytest.fixture(scope="module")
def mitmdump(tmp_path_factory, private_ca):
    """A running mitmdump with the addon: its URL, and the state directory."""
    directory = tmp_path_factory.mktemp("mitmdump")
    config = base_config(
        directory,
        limits={"default": {"rates": [f"{PER_SECOND}/second"]}},
        https={"upstream_ca": str(private_ca.file)},
    )
    write_config(directory / "sluicegate.yaml", config)
    process = start(directory, SLUICEGATE_CONFIG=str(directory / "sluicegate.yaml"))
    output = directory / "output"
    try:
        listening = wait_until(
            lambda: re.search(r"listening at (\S+:\d+)\.", output.read_text()), "mitmdump to listen", deadline_s=60
        )
        yield f"http://{listening[1]}", Path(config["state_dir"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert "rror" not in output.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_it_caches_and_limits(mitmdump, private_ca, scheme):
    proxy, state_dir = mitmdump
    host = {"http": "127.0.0.1", "https": "localhost"}[scheme]
    with ThreadedOrigin(CACHEABLE, tls=private_ca.certificate if scheme == "https" else None) as origin:
        urls = f"{scheme}://{host}:{origin.port}/[1-{PER_SECOND + 2}]"
        command = ["curl", "-sS", "--fail", "--proxy", proxy, "--cacert", state_dir / "ca/mitmproxy-ca-cert.pem", urls]
        for _ in range(2):
            fetched = subprocess.run(
                command, check=True, capture_output=True, timeout=60, env=client_environ(state_dir)
            )
            assert fetched.stdout == b"kept" * (PER_SECOND + 2)

        assert [seen.target for seen in origin.log] == [f"/{number}" for number in range(1, PER_SECOND + 3)]
        assert worst_window((seen.at for seen in origin.log), 1 - JITTER_S) <= PER_SECOND


def test_a_bad_configuration_ends_mitmdump_rather_than_letting_it_run_without_limits(tmp_path):
    process = start(tmp_path, SLUICEGATE_LIMITS__DEFAULT__RATES="10/fortnight")
    assert process.wait(60) == 1
    assert "SLUICEGATE_LIMITS__DEFAULT__RATES" in (tmp_path / "output").read_text()
