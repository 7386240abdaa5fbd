import pytest
from mitmproxy.proxy.context import Context

from sluicegate.core.access import AccessPolicy
from sluicegate.core.events import Access, CacheDecided
from sluicegate.errors import BadRequest
from sluicegate.proxy.outbox import Outbox
from sluicegate.proxy.reader import Incoming
from support.addonkit import addon_on, context_of
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

HELLO = answer(response(body=b"hello", fields=[("Cache-Control", "no-store")]))
USERS = AccessPolicy(users={"ada": "x"}, verify=lambda password, _hashed: password == "secret")


CACHED = answer(response(body=b"hello", fields=[("Cache-Control", "max-age=60")]))


def incoming(bench, url, **options):
    return Incoming(
        bench.call(url).request,
        None,
        keep_alive=True,
        http_10=False,
        expects_continue=False,
        host_matches=True,
        immediate=True,
        **options,
    )


async def said(outbox):
    pieces, last = [], False
    while not last:
        piece, last = await outbox.take()
        pieces.append(piece)
    return b"".join(pieces)


async def test_idle_means_that_no_request_is_under_way():
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench, addon_on(bench) as addon:
        outbox = Outbox()
        addon.reception.converse(context_of(addon), incoming(bench, origin.url + "/"), outbox)
        assert addon.reception.active == 1
        await said(outbox)
        await addon.reception.until_idle()

        assert addon.reception.active == 0


async def test_who_may_ask_is_checked_on_the_proxy_connection():
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench, addon_on(bench, access=USERS) as addon:
        outbox = Outbox()
        addon.reception.converse(context_of(addon), incoming(bench, origin.url + "/"), outbox)

        assert (await said(outbox)).startswith(b"HTTP/1.1 407 ")
    assert origin.accepted == 0


async def test_inside_a_tunnel_the_user_of_connect_asks():
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench, addon_on(bench, access=USERS) as addon:
        context: Context = context_of(addon, tunnel=("127.0.0.1", origin.port))
        context.client.proxyauth_user = "ada"
        outbox = Outbox()
        addon.reception.converse(context, incoming(bench, origin.url + "/"), outbox)

        assert (await said(outbox)).startswith(b"HTTP/1.1 200 ")
    assert bench.events.of(Access)[0].user == "ada"


async def test_bytes_that_are_no_request_get_an_access_line_too():
    async with engine_bench() as bench, addon_on(bench) as addon:
        outbox = Outbox()
        addon.reception.refuse(context_of(addon), BadRequest("garbage"), outbox)

        assert b"garbage" in await said(outbox)
    assert bench.events.of(Access)[0].status == 400


@pytest.mark.parametrize("options", [{"tunnel": ("up.test", 80)}, {"tls": True}, {}])
async def test_only_a_connection_that_mitmproxy_has_open_is_written_to_directly(options):
    async with engine_bench() as bench, addon_on(bench) as addon:
        context = context_of(addon, **options)

        assert addon.reception.direct(context, receiver=None, on_end=None) is None
        assert addon.reception.transport(context) is None


async def test_what_is_in_memory_and_fresh_is_answered_at_once_and_told_like_any_hit():
    async with ScriptedOrigin(CACHED) as origin, engine_bench() as bench, addon_on(bench) as addon:
        asked = incoming(bench, origin.url + "/")
        assert addon.reception.at_once(context_of(addon), asked) is None
        addon.reception.converse(context_of(addon), asked, outbox := Outbox())
        await said(outbox)
        whole = addon.reception.at_once(context_of(addon), incoming(bench, origin.url + "/"))

    assert whole.startswith(b"HTTP/1.1 200 ")
    assert whole.endswith(b"\r\n\r\nhello")
    first, second = bench.events.of(Access)
    assert (second.status, second.cache, second.bytes_sent, second.method) == (200, "hit", 5, "GET")
    assert second.request_id != first.request_id
    assert [event.outcome for event in bench.events.of(CacheDecided)] == ["miss", "hit"]


async def test_who_may_ask_is_checked_for_what_is_in_memory_too():
    async with ScriptedOrigin(CACHED) as origin, engine_bench() as bench, addon_on(bench, access=USERS) as addon:
        context: Context = context_of(addon, tunnel=("127.0.0.1", origin.port))
        addon.reception.converse(context, incoming(bench, origin.url + "/"), outbox := Outbox())
        await said(outbox)

        assert addon.reception.at_once(context_of(addon), incoming(bench, origin.url + "/")) is None
        context.client.proxyauth_user = "ada"
        assert addon.reception.at_once(context, incoming(bench, origin.url + "/")) is not None
    assert bench.events.of(Access)[-1].user == "ada"


async def test_while_draining_nothing_is_answered_at_once_so_that_the_connection_can_end():
    async with ScriptedOrigin(CACHED) as origin, engine_bench() as bench, addon_on(bench) as addon:
        addon.reception.converse(context_of(addon), incoming(bench, origin.url + "/"), outbox := Outbox())
        await said(outbox)
        addon.drain()

        assert addon.reception.at_once(context_of(addon), incoming(bench, origin.url + "/")) is None
