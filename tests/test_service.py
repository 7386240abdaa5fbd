import json
import signal

from support.origin import ThreadedOrigin, answer, response
from support.proxy import running_proxy

HELLO = answer(response(body=b"hello", fields=[("Cache-Control", "no-store")]))


def test_ready_means_ready_and_the_end_is_clean(tmp_path):
    with ThreadedOrigin(HELLO) as origin, running_proxy(tmp_path) as proxy:
        assert proxy.ask_admin("/readyz").status == 200
        assert proxy.ask_admin("/healthz").status == 200
        assert proxy.get(origin.url + "/a").body == b"hello"
        assert proxy.stop() == 0

        assert [line["event"] for line in proxy.log_lines(stage="lifecycle")] == ["started", "draining", "stopped"]
        assert proxy.log_lines(event="access")[0]["status"] == 200


def test_the_status_tells_of_limits_and_configuration(tmp_path):
    with ThreadedOrigin(HELLO) as origin, running_proxy(tmp_path) as proxy:
        proxy.get(origin.url + "/a")
        status = proxy.status()

    assert status["listen"] == f"127.0.0.1:{proxy.port}"
    assert status["config"]["file"] == str(proxy.config_file)
    assert status["totals"]["requests"] == 1
    assert status["totals"]["upstream_requests"] == 1


def test_sighup_reloads(tmp_path):
    with running_proxy(tmp_path) as proxy:
        proxy.signal(signal.SIGHUP)
        assert proxy.await_log(event="reloaded")["stage"] == "config"


def test_metrics_are_for_prometheus(tmp_path):
    with ThreadedOrigin(HELLO) as origin, running_proxy(tmp_path) as proxy:
        proxy.get(origin.url + "/a")
        text = proxy.ask_admin("/metrics").body.decode()

    assert "sluicegate_rate_limiter_permits_total" in text
    assert json.dumps("127.0.0.1") in text
