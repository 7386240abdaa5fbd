import pytest
import trustme

from sluicegate.core.http import Origin
from sluicegate.errors import DestinationForbidden, ParentProxyFailed
from sluicegate.upstream.parent import ParentProxy
from support.origin import ScriptedOrigin, answer, once, response
from support.parent_proxy import refuse, relay
from support.upstream import MakePool, address, fetch, get

OK = answer(response(body=b"via parent"))


async def test_http_goes_to_the_parent_in_absolute_form_with_our_credentials(make_pool: MakePool):
    async with ScriptedOrigin(OK) as origin, ScriptedOrigin(relay) as parent:
        pool = make_pool(parent_proxy=f"http://me:p%40ss@127.0.0.1:{parent.port}")
        fetched = await fetch(pool, get(address(origin), "/x"))

        assert fetched.body == b"via parent"
        assert parent.log[0].target == f"{origin.url}/x"
        assert parent.log[0].get("proxy-authorization") == "Basic bWU6cEBzcw=="
        assert (origin.log[0].target, origin.log[0].get("proxy-authorization")) == ("/x", None)


async def test_https_goes_through_a_tunnel_and_is_verified(make_pool: MakePool, authority: trustme.CA):
    leaf = authority.issue_cert("127.0.0.1")
    async with ScriptedOrigin(OK, tls=leaf) as origin, ScriptedOrigin(relay) as parent:
        pool = make_pool(parent_proxy=f"http://127.0.0.1:{parent.port}")
        fetched = [await fetch(pool, get(address(origin))) for _ in range(2)]

        assert [one.reused for one in fetched] == [False, True]
        assert [(seen.method, seen.target) for seen in parent.log] == [("CONNECT", f"127.0.0.1:{origin.port}")]
        await pool.aclose()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_parent_that_wants_other_credentials_is_our_fault_and_not_the_clients(make_pool: MakePool, scheme: str):
    async with ScriptedOrigin(refuse(b"407 Proxy Authentication Required")) as parent:
        pool = make_pool(parent_proxy=f"http://me:secret@127.0.0.1:{parent.port}")
        with pytest.raises(ParentProxyFailed, match="407") as caught:
            await fetch(pool, get(Origin(scheme, "example.test", 80)))

    assert "upstream_proxy" in caught.value.advice
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("reply", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"SSH-2.0\r\n", b""])
async def test_a_tunnel_that_is_not_granted(make_pool: MakePool, reply: bytes):
    async with ScriptedOrigin(once(reply)) as parent:
        pool = make_pool(parent_proxy=f"http://127.0.0.1:{parent.port}")
        with pytest.raises(ParentProxyFailed):
            await fetch(pool, get(Origin("https", "example.test", 443)))


async def test_a_parent_that_is_not_there(make_pool: MakePool, unused_tcp_port: int):
    pool = make_pool(parent_proxy=f"http://127.0.0.1:{unused_tcp_port}")

    with pytest.raises(ParentProxyFailed, match="refused"):
        await fetch(pool, get(Origin("http", "example.test", 80)))


@pytest.mark.parametrize("host", ["10.0.0.1", "127.1", "::ffff:10.0.0.1"])
async def test_addresses_are_judged_even_if_the_parent_connects(make_pool: MakePool, host: str):
    pool = make_pool(parent_proxy="http://127.0.0.1:9", permit_address=lambda ip: not ip.startswith(("10.", "127.")))

    with pytest.raises(DestinationForbidden):
        await pool.connect(Origin("http", host, 80))


@pytest.mark.parametrize("url", ["https://proxy:1", "proxy:3128", "http://", "http://proxy/path", "http://proxy:99999"])
def test_what_is_no_parent_proxy(url: str):
    with pytest.raises(ValueError):
        ParentProxy.parse(url)


def test_credentials_do_not_show():
    assert "bWU6" not in repr(ParentProxy.parse("http://me:secret@proxy"))


def test_a_tunnel_to_an_ipv6_address_is_written_in_brackets():
    request = ParentProxy.parse("http://proxy").connect_request(Origin("https", "::1", 443))

    assert request == b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n"
