import asyncio
import socket
from collections.abc import Sequence

import pytest
import trustme

from sluicegate.core.http import Origin
from sluicegate.errors import ConnectRefused, ConnectTimeout, DestinationForbidden, NameNotResolved
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


async def test_a_handshake_without_end_times_out_and_leaves_nothing_open(make_pool: MakePool, authority: trustme.CA):
    pool = make_pool(connect_timeout_s=0.1)
    async with ScriptedOrigin(hang) as origin:
        mute = Origin("https", "127.0.0.1", origin.port)
        with pytest.raises(ConnectTimeout):
            await pool.connect(mute)

        await origin.until(lambda origin: origin.accepted == 1 and origin.open == 0)


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
