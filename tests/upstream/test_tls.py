import datetime as dt
import ssl
from pathlib import Path

import pytest
import trustme

from sluicegate.core.http import Origin
from sluicegate.errors import ConfigError, ResponseCutShort, TlsFailed, TlsProtocolFailed
from sluicegate.upstream import Pool, client_context
from support.origin import Peer, ScriptedOrigin, answer, once, response
from support.upstream import MakePool, address, fetch, get, no_interim

OK = answer(response(body=b"secret"))


@pytest.fixture
def leaf(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("127.0.0.1")


async def test_a_private_authority_is_trusted_when_it_is_added(
    make_pool: MakePool, authority: trustme.CA, leaf: trustme.LeafCert, tmp_path: Path
):
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    pool = make_pool(tls=client_context(pem))
    async with ScriptedOrigin(OK, tls=leaf) as origin:
        assert (await fetch(pool, get(address(origin)))).body == b"secret"


async def test_an_unknown_authority_is_refused_with_the_cure(make_pool: MakePool, leaf: trustme.LeafCert):
    pool = make_pool(tls=client_context())
    async with ScriptedOrigin(OK, tls=leaf) as origin:
        with pytest.raises(TlsFailed, match=r"authority|root") as caught:
            await fetch(pool, get(address(origin)))

    assert "https.upstream_ca" in caught.value.advice
    assert origin.log == []
    assert pool.stats() == {}


async def test_a_certificate_for_another_name_is_refused(pool: Pool, authority: trustme.CA):
    async with ScriptedOrigin(OK, tls=authority.issue_cert("other.example")) as origin:
        with pytest.raises(TlsFailed, match="another"):
            await fetch(pool, get(address(origin)))


async def test_an_expired_certificate_is_refused(pool: Pool, authority: trustme.CA):
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    async with ScriptedOrigin(OK, tls=authority.issue_cert("127.0.0.1", not_after=past)) as origin:
        with pytest.raises(TlsFailed, match="expired"):
            await fetch(pool, get(address(origin)))


async def test_an_origin_without_tls_is_told_so(pool: Pool, leaf: trustme.LeafCert):
    async def complain(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    async with ScriptedOrigin(complain) as origin:
        origin.tls = leaf
        with pytest.raises(TlsProtocolFailed, match="does not speak TLS"):
            await fetch(pool, get(address(origin)))


async def test_a_tls_session_is_resumed(pool: Pool, leaf: trustme.LeafCert):
    resumed: list[bool] = []

    async def handle(peer: Peer) -> None:
        resumed.append(peer.writer.get_extra_info("ssl_object").session_reused)
        await OK(peer)

    async with ScriptedOrigin(handle, tls=leaf) as origin:
        await fetch(pool, get(address(origin)))
        lease = await pool.connect(address(origin), fresh=True)
        await origin.until(lambda _: len(resumed) == 2)
        lease.release()

    assert resumed == [False, True]


async def test_a_tls_session_is_never_resumed_by_a_pool_with_other_trust(
    make_pool: MakePool, authority: trustme.CA, leaf: trustme.LeafCert
):
    resumed: list[bool] = []

    async def handle(peer: Peer) -> None:
        resumed.append(peer.writer.get_extra_info("ssl_object").session_reused)
        await OK(peer)

    pools = []
    for _ in range(2):
        context = client_context()
        authority.configure_trust(context)
        pools.append(make_pool(tls=context))
    async with ScriptedOrigin(handle, tls=leaf) as origin:
        await fetch(pools[0], get(address(origin)))
        await fetch(pools[1], get(address(origin)))
        with pytest.raises(TlsFailed):
            await fetch(make_pool(tls=client_context()), get(address(origin)))

    assert resumed == [False, False]


async def test_sessions_are_bounded(pool: Pool, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sluicegate.upstream.tls._MAX_SESSIONS", 1)
    resumed: list[bool] = []

    async def handle(peer: Peer) -> None:
        resumed.append(peer.writer.get_extra_info("ssl_object").session_reused)
        await OK(peer)

    async with ScriptedOrigin(handle, tls=authority.issue_cert("127.0.0.1", "localhost")) as origin:
        for host in ("127.0.0.1", "localhost", "127.0.0.1"):
            there = Origin("https", host, origin.port)
            reply = await (await pool.connect(there, fresh=True)).exchange(get(there), None, no_interim)
            await reply.body.read()

    assert resumed == [False, False, False]


async def test_rfc9112_9_8_a_close_delimited_body_needs_a_proper_end_of_tls(pool: Pool, leaf: trustme.LeafCert):
    async def truncate(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\npart")
        await peer.drain()
        peer.writer.transport.abort()

    whole = b"HTTP/1.1 200 OK\r\n\r\nwhole"
    async with ScriptedOrigin(truncate, tls=leaf) as cut, ScriptedOrigin(once(whole), tls=leaf) as clean:
        with pytest.raises(ResponseCutShort):
            await fetch(pool, get(address(cut)))
        assert (await fetch(pool, get(address(clean)))).body == b"whole"


def test_verification_is_always_on():
    context = client_context()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bad_authority_file_is_a_configuration_error(tmp_path: Path, content: str | None):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigError, match=r"https\.upstream_ca"):
        client_context(path)
