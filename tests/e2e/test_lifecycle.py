"""Starting, changing the configuration, leaving."""

import http.client
import json
import signal
import socket
import subprocess

import pytest

from support.held import Held, begin
from support.origin import ThreadedOrigin, answer, response
from support.proxy import COMMAND, base_config, clean_environ, read_all, running_proxy, wait_until

OK = answer(response(body=b"ok"))


@pytest.fixture
def held():
    handler = Held()
    yield handler
    handler.release.set()


def test_sigterm_lets_a_response_finish_accepts_nobody_and_loses_no_log_line(tmp_path, held):
    with ThreadedOrigin(held) as origin, running_proxy(tmp_path) as proxy, begin(proxy, origin) as client:
        assert held.half_sent.wait(20)

        proxy.signal(signal.SIGTERM)
        proxy.await_log(event="draining", under_way=1)
        with pytest.raises(ConnectionRefusedError):
            proxy.raw()
        assert proxy.ask_admin("/readyz").status == 503
        held.release.set()

        assert read_all(client).endswith(b"\r\n\r\nhalfdone")
        assert proxy.process.wait(20) == 0
        lines = proxy.log_lines()
        assert [line["event"] for line in lines][-2:] == ["access", "stopped"]
        assert lines[-2]["status"] == 200
        assert "error" not in lines[-2]


def test_draining_ends_when_drain_timeout_is_over(tmp_path, held):
    with ThreadedOrigin(held) as origin, running_proxy(tmp_path, drain_timeout="200ms") as proxy:
        with begin(proxy, origin) as client:
            assert held.half_sent.wait(20)

            assert proxy.stop() == 0

            assert read_all(client).endswith(b"half"), "cut off"
            held.release.set()
        assert proxy.log_lines(event="access")[-1]["error"] == "client_gone"
        assert proxy.log_lines()[-1]["event"] == "stopped"


def test_a_second_sigterm_ends_at_once(tmp_path, held):
    with ThreadedOrigin(held) as origin, running_proxy(tmp_path, drain_timeout="10m") as proxy:
        with begin(proxy, origin):
            assert held.half_sent.wait(20)
            proxy.signal(signal.SIGTERM)
            proxy.await_log(event="draining")

            assert proxy.stop() == 0
            held.release.set()

        assert proxy.log_lines()[-1]["event"] == "stopped"
        assert list(proxy.state_dir.rglob("*.tmp")) == []


def limited(rates, **more):
    return {"hosts": {"127.0.0.1": {"rates": rates, "max_wait": "1s"}}, **more}


def test_a_changed_file_takes_effect_a_bad_one_does_not_and_what_was_spent_stays_spent(tmp_path):
    with ThreadedOrigin(OK) as origin, running_proxy(tmp_path, limits=limited("2/minute")) as proxy:

        def statuses():
            return [proxy.get(origin.url).status for _ in range(3)]

        assert statuses() == [200, 200, 429]

        proxy.reconfigure(base_config(tmp_path, limits=limited("unlimited")))
        assert proxy.await_log(event="reloaded")["changed"] == ['limits.hosts."127.0.0.1".rates']
        assert statuses() == [200, 200, 200]

        proxy.reconfigure(base_config(tmp_path, limits=limited("10/fortnight")))
        assert "10/fortnight" in proxy.await_log(event="reload_failed", level="error")["message"]
        assert statuses() == [200, 200, 200]

        proxy.reconfigure(base_config(tmp_path, limits=limited("2/minute"), header_limit="32KiB"))
        proxy.signal(signal.SIGHUP)
        assert proxy.await_log(event="restart_needed", level="warning")["keys"] == ["header_limit"]
        assert statuses() == [429, 429, 429]
        assert len(origin.log) == 8


def test_requests_under_way_survive_a_reload(tmp_path, held):
    with ThreadedOrigin(held) as origin, running_proxy(tmp_path) as proxy, begin(proxy, origin) as client:
        assert held.half_sent.wait(20)
        proxy.signal(signal.SIGHUP)
        proxy.await_log(event="reloaded")
        held.release.set()

        wait_until(lambda: proxy.log_lines(event="access"), "the end of the response")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).endswith(b"halfdone")


def serve(*arguments):
    """The command, to its end."""
    return subprocess.run(
        [*COMMAND, "serve", *arguments], env=clean_environ(), capture_output=True, text=True, timeout=60, check=False
    )


def assert_told(ended, *words):
    assert ended.returncode == 2, ended
    assert "Traceback" not in ended.stderr
    assert [word for word in words if word not in ended.stderr] == [], ended.stderr


def test_broken_yaml_is_told_with_its_line(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text("listen: 127.0.0.1:0\nlimits: {hosts: [\n")

    assert_told(serve("--config", str(file)), "broken.yaml:", "YAML")


def test_all_bad_values_are_told_at_once_each_with_its_line_and_what_is_allowed(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(
        "listn: 127.0.0.1:0\nlimits:\n  max_inflight: -5\n  default:\n    rates: 10/fortnight\n    concurrency: -1\n"
        "  hosts:\n    api.example.com: {rates: -3/second}\n"
    )

    assert_told(
        serve("--config", str(file)),
        *("bad.yaml:1: listn", "bad.yaml:3: limits.max_inflight", "bad.yaml:5: limits.default.rates"),
        *("bad.yaml:6: limits.default.concurrency", "bad.yaml:8: limits.hosts"),
        *("10/fortnight", "-5", "-1", "-3/second", "allowed: "),
    )


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert_told(serve("--config", str(tmp_path / "nowhere.yaml")), "nowhere.yaml")


def test_a_busy_port_is_told_with_the_cure(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = serve("--listen", f"127.0.0.1:{port}", "--admin", "off", "--state-dir", str(tmp_path))

    assert_told(ended, f"127.0.0.1:{port}", "in use", "--listen")


def test_a_state_directory_that_cannot_be_made_is_told_with_the_cure(tmp_path):
    (tmp_path / "file").write_text("in the way")
    ended = serve("--listen", "127.0.0.1:0", "--admin", "off", "--state-dir", str(tmp_path / "file" / "state"))

    assert_told(ended, str(tmp_path / "file" / "state"), "--state-dir")


def test_fallback_defaults_start_on_safe_limits_and_say_so_loudly(tmp_path):
    arguments = ("--fallback-defaults", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    arguments += ("--state-dir", str(tmp_path / "safe"), "--log-file", str(tmp_path / "proxy.log"))
    with (
        ThreadedOrigin(OK) as origin,
        running_proxy(tmp_path, arguments=arguments, limits=limited("10/fortnight")) as proxy,
    ):
        told = proxy.await_log(event="fallback_defaults", level="error")
        assert "10/fortnight" in json.dumps(told)
        assert proxy.get(origin.url).status == 200
        connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=30)
        for number in range(12):
            connection.request("GET", f"{origin.url}/{number}")
            connection.getresponse().read()
        connection.close()

    times = [seen.at for seen in origin.log]
    assert times[10] - times[0] > 0.98, "ten a second, the default"
