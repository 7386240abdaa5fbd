"""`explain` and `cache warm` as processes of their own, beside a proxy that runs."""

import json
import socket
import subprocess

import pytest

from support.origin import ThreadedOrigin, answer, response
from support.proxy import COMMAND, clean_environ, running_proxy
from support.windows import JITTER_S, Stopwatch, worst_window

FRESH = answer(response(body=b"hello", fields=[("Cache-Control", "max-age=60"), ("ETag", '"a"')]))


@pytest.fixture
def admin():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def command(proxy, *words):
    return subprocess.run(
        [*COMMAND, *words, "--config", str(proxy.config_file), "--json"],
        capture_output=True,
        env=clean_environ(),
        timeout=60,
        check=False,
    )


def explained(proxy, *words):
    done = command(proxy, "explain", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_the_proxy_stored_is_explained_and_what_is_fetched_the_proxy_serves(tmp_path, admin):
    with ThreadedOrigin(FRESH) as origin, running_proxy(tmp_path, admin=admin) as proxy:
        proxy.get(f"{origin.url}/a")
        seen = explained(proxy, f"{origin.url}/a")
        made = explained(proxy, "--fetch", f"{origin.url}/b")
        served = proxy.get(f"{origin.url}/b")

    assert seen["cache"]["decision"]["action"] == "hit"
    assert seen["queue"] == {"proxy": f"{proxy.host}:{proxy.port}", "waiting": 0, "in_flight": 0}
    assert made["fetched"]["stored"]
    assert "hit" in served.get("Cache-Status")
    assert len(origin.log) == 2


def test_what_the_proxy_has_spent_is_the_wait_of_the_explanation(tmp_path):
    limits = {"default": {"rates": ["1/hour"]}}
    with ThreadedOrigin(FRESH) as origin, running_proxy(tmp_path, limits=limits) as proxy:
        proxy.get(f"{origin.url}/a")
        limit = explained(proxy, f"{origin.url}/b")["limit"]

    assert 3500 < limit["wait_s"] < 3700
    assert limit["refused"]


def test_warming_keeps_the_limit_together_with_the_proxy_and_the_proxy_has_it_all(tmp_path):
    limits = {"hosts": {"127.0.0.1": {"rates": ["10/second"], "concurrency": 4}}}
    with Stopwatch("127.0.0.1") as origin, running_proxy(tmp_path, limits=limits) as proxy:
        file = tmp_path / "urls.txt"
        file.write_text("".join(f"{origin.url}/{n}\n" for n in range(25)))
        done = command(proxy, "cache", "warm", str(file))
        replies = [proxy.get(f"{origin.url}/{n}") for n in range(25)]
        times = origin.times()

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stored"] == 25
    assert all("hit" in reply.get("Cache-Status") for reply in replies)
    assert len(times) == 25
    assert worst_window(times, 1 - JITTER_S) <= 10
