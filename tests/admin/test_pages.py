import json

import pytest

from support.admin import document


async def test_health_is_200_as_long_as_the_process_lives(ask, proxy):
    proxy.ready = False

    status, _, body = await ask("/healthz")

    assert (status, body) == (200, "ok\n")


async def test_readiness_follows_the_proxy(ask, proxy):
    assert (await ask("/readyz"))[0] == 200

    proxy.ready = False

    assert (await ask("/readyz"))[0] == 503


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("*/*", "text/plain"), ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text")],
)
async def test_metrics_come_in_the_format_asked_for(ask, accept, content_type):
    status, headers, body = await ask("/metrics", Accept=accept)

    assert status == 200
    assert headers["Content-Type"].startswith(content_type)
    assert "sluicegate_process_resident_memory_bytes" in body


async def test_status_is_the_documented_json(ask):
    status, headers, body = await ask("/api/status")

    assert status == 200
    assert headers["Content-Type"] == "application/json"
    told = json.loads(body)
    assert told == document()
    assert told["uptime_s"] == 12.346
    assert told["config"] == {"file": "/etc/sluicegate.yaml", "checksum": "abc123", "loaded_at": 1_800_000_000.0}
    assert told["limits"][0]["queue"] == 2
    assert told["cache"] == {"entries": 5, "bytes": 500}
    assert told["upstream"] == {"open": 3, "idle": 1}


async def test_answers_are_neither_cached_nor_sniffed_nor_framed(ask):
    for path in ("/", "/api/status", "/metrics", "/healthz", "/nothing-here"):
        _, headers, _ = await ask(path)
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Server"] == "sluicegate"


async def test_head_is_get_without_the_body(ask):
    status, headers, body = await ask("/api/status", method="HEAD")

    assert (status, body) == (200, "")
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_the_server_only_reads(ask, method):
    assert (await ask("/api/status", method=method))[0] == 405


async def test_other_paths_are_told_what_there_is(ask):
    status, _, body = await ask("/metric")

    assert status == 404
    assert "/metrics" in body


async def test_a_status_that_cannot_be_made_is_a_500_and_the_server_lives_on(ask, proxy, caplog):
    proxy.make_status = lambda: 1 / 0

    assert (await ask("/api/status"))[0] == 500
    assert (await ask("/healthz"))[0] == 200
