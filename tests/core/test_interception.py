import pytest

from sluicegate.core.interception import METHODS, Interception, starts_http, starts_tls


def test_everything_is_intercepted_but_what_is_listed():
    rules = Interception(tunnel=("bank.example", "*.pinned.example"))

    assert rules.tunnels("Bank.Example.")
    assert rules.tunnels("a.b.pinned.example")
    assert not rules.tunnels("pinned.example")
    assert not rules.tunnels("example.com")


def test_tunnel_mode_intercepts_nothing():
    assert Interception(intercept=False).tunnels("example.com")


def test_a_tls_handshake_is_known_by_its_first_byte():
    assert starts_tls(b"\x16\x03\x01")
    assert not starts_tls(b"GET ")


@pytest.mark.parametrize("data", [b"G", b"GET", b"GET /", b"M-SEARCH *", b"POST http://a/", b"PUT /x HTTP/1.1"])
def test_http_is_known_by_its_method(data):
    assert starts_http(data)


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH", b"\x00\x01", b"GETX", b"get /", b"* OK IMAP", b"EHLO mail"])
def test_other_protocols_are_not_taken_for_http(data):
    assert not starts_http(data)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_known_at_every_length(method):
    line = method + b" / HTTP/1.1"

    assert all(starts_http(line[:length]) for length in range(1, len(line)))
