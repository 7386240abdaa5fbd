from pathlib import Path

import pytest

from sluicegate.core.events import Level, Stage
from sluicegate.proxy.tls import LEFT_AFTER_HANDSHAKE, refused_certificate


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
