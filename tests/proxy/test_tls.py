from pathlib import Path

import pytest
from mitmproxy import tls

from sluicegate.clock import ManualClock
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.proxy.tls import LEFT_AFTER_HANDSHAKE, refused_certificate
from support.addonkit import addon_on, context_of, layer_in
from support.engine import engine_bench


@pytest.mark.parametrize(
    "error",
    [
        "The client does not trust the proxy's certificate for up.test (tlsv1 alert unknown ca)",
        "sslv3 alert bad certificate",
        "sslv3 alert certificate unknown",
        LEFT_AFTER_HANDSHAKE,
    ],
)
def test_a_client_without_our_authority_is_told_with_the_cure(error):
    notice = refused_certificate(error, "up.test", "127.0.0.1", Path("/state/ca/cert.pem"))

    assert (notice.stage, notice.event, notice.level) == (Stage.TLS, "client_refused_certificate", Level.WARNING)
    assert "/state/ca/cert.pem" in notice.message
    assert "sluicegate run" in notice.message
    assert '["up.test"]' in notice.message


def test_another_failure_is_not_blamed_on_the_authority():
    notice = refused_certificate("no shared cipher", "up.test", "127.0.0.1", Path("/ca.pem"))

    assert notice.event == "client_handshake_failed"
    assert "no shared cipher" in notice.message


@pytest.mark.parametrize(("spoke", "after_s", "accused"), [(False, 0.1, 1), (False, 30, 0), (True, 0.1, 0)])
async def test_who_leaves_right_after_the_handshake_without_a_word_does_not_trust_us(spoke, after_s, accused):
    clock = ManualClock()
    async with engine_bench() as bench, addon_on(bench) as addon:
        addon._hub.clock = clock
        context = context_of(addon, tunnel=("up.test", 443), tls=True)
        addon.tls.tls_established_client(tls.TlsData(context.client, context, None))
        if spoke:
            await layer_in(addon, context, b"GET / HTTP/1.1\r\n")
        await clock.advance(after_s)
        addon.tls.client_disconnected(context.client)

    told = [notice for notice in bench.events.of(Notice) if notice.event == "client_refused_certificate"]
    assert len(told) == accused
