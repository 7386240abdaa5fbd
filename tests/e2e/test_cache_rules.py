"""Rules of the user's own for the cache, from the file to what curl sees; and taken away again while the proxy runs."""

import subprocess

from support.origin import ThreadedOrigin, answer, response
from support.proxy import UNLIMITED, base_config, clean_environ, running_proxy

RULES = [
    {"hosts": ["127.0.0.1"], "paths": ["/dynamic/*"], "ttl": "10m", "force": True, "ignore_query": ["utm_*"]},
    {"paths": ["/files/*"], "immutable": True},
    {"paths": ["/live/*"], "never": True},
]


def said(seen):
    fresh = [] if seen.target.startswith("/dynamic/") else [("Cache-Control", "max-age=60")]
    return response(body=b"body", fields=fresh)


def curl(proxy, url, *words):
    """The Cache-Status that curl prints."""
    command = ["curl", "-sS", "--proxy", proxy.url, "--noproxy", "", "-o", "/dev/null"]
    command += ["-w", "%header{cache-status}", *words, url]
    return subprocess.run(command, env=clean_environ(), check=True, capture_output=True, timeout=30).stdout.decode()


def test_curl_sees_which_rule_was_decisive_and_a_reload_takes_it_away(tmp_path):
    with (
        ThreadedOrigin(answer(said)) as origin,
        running_proxy(tmp_path, limits=UNLIMITED, cache={"store": "memory", "rules": RULES}) as proxy,
    ):
        key = f'; key="{origin.url}/dynamic/a?b=1"'
        told = curl(proxy, f"{origin.url}/dynamic/a?b=1&utm_source=x")
        assert told == f"Sluicegate; fwd=uri-miss; fwd-status=200; stored; detail=rule-store{key}"
        told = curl(proxy, f"{origin.url}/dynamic/a?utm_source=y&b=1")
        assert told.startswith("Sluicegate; hit; ttl=")
        assert told.endswith(f"; detail=rule-ttl{key}")

        curl(proxy, f"{origin.url}/files/a")
        told = curl(proxy, f"{origin.url}/files/a", "-H", "Cache-Control: no-cache")
        assert told.endswith("; detail=rule-reload")
        for _ in range(2):
            assert curl(proxy, f"{origin.url}/live/a").endswith("fwd=bypass; fwd-status=200; detail=rule-never")

        proxy.reconfigure(base_config(tmp_path, limits=UNLIMITED, cache={"store": "memory"}))
        assert proxy.await_log(event="reloaded")["changed"] == ["cache.rules"]
        assert "detail=no-freshness-no-validator" in curl(proxy, f"{origin.url}/dynamic/a?b=1&utm_source=x")
        assert "fwd=request" in curl(proxy, f"{origin.url}/files/a", "-H", "Cache-Control: no-cache")
        curl(proxy, f"{origin.url}/live/a")
        assert curl(proxy, f"{origin.url}/live/a").startswith("Sluicegate; hit")

        metrics = proxy.ask_admin("/metrics").body.decode()
        assert all(f'reason="rule-{name}"' in metrics for name in ("store", "ttl", "reload", "never"))
