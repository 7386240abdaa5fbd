import asyncio
import contextlib
import socket
from collections.abc import Sequence

import pytest

from sluicegate.core.http import Origin
from sluicegate.errors import ConnectRefused, ConnectTimeout, DestinationForbidden, NameNotResolved, NameTimeout
from sluicegate.upstream.settings import AddressInfo
from support.origin import ScriptedOrigin, answer, hang, response
from support.upstream import MakePool, fetch, get


def resolving(*addresses: str):
    async def resolve(host: str, port: int) -> Sequence[AddressInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]

    return resolve


async def test_an_origin_that_refuses(make_pool: MakePool, unused_tcp_port: int):
    with pytest.raises(ConnectRefused, match="refused"):
        await make_pool().connect(Origin("http", "127.0.0.1", unused_tcp_port))


async def test_the_next_address_is_tried_when_one_refuses(make_pool: MakePool):
    async with ScriptedOrigin(answer(response(body=b"there"))) as origin:
        pool = make_pool(resolve=resolving("127.0.0.2", "127.0.0.1"))
        assert (await fetch(pool, get(Origin("http", "two.test", origin.port)))).body == b"there"


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
async def test_a_name_without_address(make_pool: MakePool, failure: Exception):
    async def resolve(_host: str, _port: int) -> Sequence[AddressInfo]:
        raise failure

    with pytest.raises(NameNotResolved, match=r"nowhere\.test"):
        await make_pool(resolve=resolve).connect(Origin("http", "nowhere.test", 80))


async def test_a_name_is_judged_by_the_address_it_has_at_this_moment(make_pool: MakePool):
    asked: list[str] = []

    def permit(ip: str) -> bool:
        asked.append(ip)
        return False

    async with ScriptedOrigin(hang) as origin:
        pool = make_pool(resolve=resolving("127.0.0.1"), permit_address=permit)
        with pytest.raises(DestinationForbidden):
            await pool.connect(Origin("http", "rebound.test", origin.port))
        assert (asked, origin.accepted) == (["127.0.0.1"], 0)


async def test_only_permitted_addresses_of_a_name_are_used(make_pool: MakePool):
    async with ScriptedOrigin(answer(response(body=b"there"))) as origin:
        pool = make_pool(resolve=resolving("127.0.0.9", "127.0.0.1"), permit_address=lambda ip: ip == "127.0.0.1")
        assert (await fetch(pool, get(Origin("http", "two.test", origin.port)))).body == b"there"


async def test_a_mapped_address_is_judged_as_ipv4(make_pool: MakePool):
    with pytest.raises(DestinationForbidden):
        await make_pool(permit_address=lambda ip: ip != "127.0.0.1").connect(Origin("http", "::ffff:127.0.0.1", 9))


async def test_a_name_that_is_remembered_is_judged_again_at_each_use(make_pool: MakePool):
    forbidden: set[str] = set()
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[AddressInfo]:
        asked.append(host)
        return await resolving("127.0.0.1")(host, port)

    async with ScriptedOrigin(answer(response())) as origin:
        pool = make_pool(resolve=resolve, permit_address=lambda ip: ip not in forbidden)
        (await pool.connect(Origin("http", "a.test", origin.port))).release()
        forbidden.add("127.0.0.1")
        with pytest.raises(DestinationForbidden):
            await pool.connect(Origin("http", "a.test", origin.port), fresh=True)

    assert asked == ["a.test"]


async def test_an_address_that_failed_is_not_tried_first_again(make_pool: MakePool, unused_tcp_port: int):
    async def resolve(_host: str, port: int) -> Sequence[AddressInfo]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", unused_tcp_port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    async with ScriptedOrigin(answer(response())) as origin:
        pool = make_pool(resolve=resolve)
        two = Origin("http", "two.test", origin.port)
        await fetch(pool, get(two))
        with socket.create_server(("127.0.0.1", unused_tcp_port)):
            (await pool.connect(two, fresh=True)).release()
            await origin.until(lambda origin: origin.accepted == 2)


async def test_rfc8305_the_next_address_is_tried_while_the_first_is_silent(make_pool: MakePool):
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    silent = full.getsockname()
    with full, contextlib.ExitStack() as queued:
        for _ in range(3):  # a listener whose queue is full drops what comes
            waiting = queued.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent)

        async def resolve(_host: str, port: int) -> Sequence[AddressInfo]:
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, silent), (*kind, ("127.0.0.1", port))]

        async with ScriptedOrigin(answer(response(body=b"there"))) as origin:
            assert (
                await fetch(make_pool(resolve=resolve), get(Origin("http", "two.test", origin.port)))
            ).body == b"there"


async def test_a_name_without_end_is_a_timeout_of_dns(make_pool: MakePool):
    async def resolve(_host: str, _port: int) -> Sequence[AddressInfo]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(NameTimeout, match=r"slow\.test") as caught:
        await make_pool(connect_timeout_s=0.05, resolve=resolve).connect(Origin("http", "slow.test", 80))
    assert (caught.value.status, caught.value.proxy_error) == (504, "dns_timeout")


async def test_a_handshake_without_end_times_out_and_leaves_nothing_open(make_pool: MakePool):
    pool = make_pool(connect_timeout_s=0.1)
    async with ScriptedOrigin(hang) as origin:
        mute = Origin("https", "127.0.0.1", origin.port)
        with pytest.raises(ConnectTimeout, match="TLS handshake"):
            await pool.connect(mute)

        await origin.until(lambda origin: origin.accepted == 1 and origin.open == 0)


async def test_a_tunnel_without_end_is_told_as_such(make_pool: MakePool):
    async with ScriptedOrigin(hang) as parent:
        pool = make_pool(connect_timeout_s=0.1, parent_proxy=parent.url)
        with pytest.raises(ConnectTimeout, match="tunnel"):
            await pool.connect(Origin("https", "a.test", 443))


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("parent", [False, True])
async def test_a_cancelled_connect_leaves_nothing_open(make_pool: MakePool, scheme: str, parent: bool):
    async with ScriptedOrigin(hang) as origin:
        pool = make_pool(parent_proxy=origin.url if parent else None)
        task = asyncio.get_running_loop().create_task(pool.connect(Origin(scheme, "127.0.0.1", origin.port)))
        await origin.until(lambda origin: origin.accepted == 1)
        task.cancel()
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        if not isinstance(outcome, BaseException):
            outcome.release()
            await pool.aclose()

        await origin.until(lambda origin: origin.open == 0)


async def test_a_cancelled_resolution_ends_the_connect(make_pool: MakePool):
    asked = asyncio.Event()

    async def resolve(_host: str, _port: int) -> Sequence[AddressInfo]:
        asked.set()
        await asyncio.Event().wait()
        return []

    pool = make_pool(resolve=resolve)
    task = asyncio.get_running_loop().create_task(pool.connect(Origin("http", "slow.test", 80)))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
