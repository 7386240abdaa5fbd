import asyncio

import pytest

from sluicegate.core.http import Origin
from sluicegate.errors import ConfigError, ConnectRefused, ResponseCutShort
from sluicegate.upstream import OriginStats, Pool, UpstreamPoolSettings
from support.origin import Peer, ScriptedOrigin, answer, hang, response
from support.upstream import MakePool, address, eventually, fetch, get, no_interim

MIB = 1024 * 1024
OK = answer(response(body=b"x" * 1024))


async def test_clients_share_connections_and_the_last_one_used_comes_first(pool: Pool):
    async with ScriptedOrigin(OK) as origin:
        leases = [await pool.connect(address(origin)) for _ in range(3)]
        assert [lease.reused for lease in leases] == [False] * 3
        for lease in leases:
            reply = await lease.exchange(get(address(origin)), None, no_interim)
            await reply.body.read()
        for _ in range(5):
            assert (await fetch(pool, get(address(origin)))).reused

        assert {seen.connection for seen in origin.log[3:]} == {origin.log[2].connection}
        assert origin.accepted == 3


async def test_fresh_asks_for_a_new_connection(pool: Pool):
    async with ScriptedOrigin(OK) as origin:
        await fetch(pool, get(address(origin)))
        lease = await pool.connect(address(origin), fresh=True)

        assert not lease.reused
        assert pool.stats() == {address(origin): OriginStats(open=2, idle=1, in_use=1)}
        lease.release()


async def test_an_unused_connection_is_given_back_once(pool: Pool):
    async with ScriptedOrigin(OK) as origin:
        lease = await pool.connect(address(origin))
        lease.release()
        again = await pool.connect(address(origin))
        lease.release()

        assert pool.stats()[address(origin)] == OriginStats(open=1, idle=0, in_use=1)
        assert not again.reused
        again.release()
        assert pool.stats()[address(origin)].idle == 1


async def test_a_lease_carries_one_exchange(pool: Pool):
    async with ScriptedOrigin(OK) as origin:
        lease = await pool.connect(address(origin))
        await (await lease.exchange(get(address(origin)), None, no_interim)).body.read()

        assert not lease.usable
        with pytest.raises(RuntimeError):
            await lease.exchange(get(address(origin)), None, no_interim)


async def test_no_more_than_the_bound_stay_idle_per_origin(make_pool: MakePool):
    pool = make_pool(max_idle_per_origin=2)
    async with ScriptedOrigin(OK) as origin:
        for lease in [await pool.connect(address(origin)) for _ in range(5)]:
            lease.release()

        await eventually(lambda: pool.stats()[address(origin)] == OriginStats(open=2, idle=2, in_use=0))


async def test_over_the_bound_of_all_the_longest_idle_goes_first(make_pool: MakePool):
    pool = make_pool(max_idle=2)
    async with ScriptedOrigin(OK) as first, ScriptedOrigin(OK) as second, ScriptedOrigin(OK) as third:
        for origin in (first, second, third):
            await fetch(pool, get(address(origin)))

        await eventually(lambda: set(pool.stats()) == {address(second), address(third)})


async def test_idle_connections_end_after_keepalive(make_pool: MakePool):
    pool = make_pool(keepalive_s=0.05)
    async with ScriptedOrigin(OK) as origin:
        await fetch(pool, get(address(origin)))
        assert pool.stats()[address(origin)].idle == 1

        await eventually(lambda: pool.stats() == {})
        await origin.until(lambda origin: origin.open == 0)


async def test_an_idle_connection_that_the_origin_closes_is_forgotten_at_once(pool: Pool):
    close = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.send(response())
        await close.wait()

    async with ScriptedOrigin(handle) as origin:
        await fetch(pool, get(address(origin)))
        close.set()

        await eventually(lambda: pool.stats() == {})


@pytest.mark.parametrize("bytes_", [b"HTTP/1.1 408 Request Timeout\r\n\r\n", b""])
async def test_a_reserved_connection_says_when_the_origin_spoiled_it(pool: Pool, bytes_: bytes):
    go = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await go.wait()
        peer.send(bytes_)

    async with ScriptedOrigin(handle) as origin:
        lease = await pool.connect(address(origin))
        assert lease.usable
        go.set()
        await eventually(lambda: not lease.usable)

        with pytest.raises(ResponseCutShort) as caught:
            await lease.exchange(get(address(origin)), None, no_interim)
        assert caught.value.untouched
        assert origin.log == []


async def test_garbage_on_an_idle_connection_costs_it(pool: Pool):
    go = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.send(response())
        await go.wait()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
        await peer.gone()

    async with ScriptedOrigin(handle) as origin:
        await fetch(pool, get(address(origin)))
        go.set()

        await eventually(lambda: pool.stats() == {})


async def test_a_reused_connection_that_dies_before_a_byte_is_untouched(pool: Pool):
    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.send(response())
        await peer.head()
        peer.reset()

    async with ScriptedOrigin(handle) as origin:
        await fetch(pool, get(address(origin)))
        lease = await pool.connect(address(origin))
        assert lease.reused

        with pytest.raises(ResponseCutShort) as caught:
            await lease.exchange(get(address(origin)), None, no_interim)
        assert caught.value.untouched


async def test_the_more_bodies_wait_for_slow_readers_the_less_each_may_hold(pool: Pool):
    async def flood(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            peer.send(bytes(1_000_000))
            await peer.drain()

    assert pool.body_allowance() == MIB
    async with ScriptedOrigin(flood) as origin:
        leases = [await pool.connect(address(origin)) for _ in range(50)]
        bodies = [(await lease.exchange(get(address(origin)), None, no_interim)).body for lease in leases]
        await eventually(lambda: all(body.buffered > pool.body_allowance() for body in bodies))

        assert pool.body_allowance() < MIB / 5
        assert sum(body.buffered for body in bodies) < 24 * MIB
        for body in bodies:
            await body.aclose()


async def test_closing_the_pool_ends_what_is_under_way_and_refuses_more(pool: Pool):
    async with ScriptedOrigin(hang) as origin:
        waiting = [asyncio.get_running_loop().create_task(fetch(pool, get(address(origin)))) for _ in range(2)]
        (await pool.connect(address(origin))).release()
        await origin.until(lambda origin: origin.open == 3)
        await eventually(lambda: pool.stats()[address(origin)] == OriginStats(open=3, idle=1, in_use=2))
        await pool.aclose()

        assert pool.stats() == {}
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, ResponseCutShort)
        with pytest.raises(ConnectRefused):
            await pool.connect(address(origin))
        await origin.until(lambda origin: origin.open == 0)


async def test_over_the_bound_an_idle_connection_of_another_origin_is_closed_first(make_pool: MakePool):
    pool = make_pool(max_connections=2)
    async with ScriptedOrigin(OK) as first, ScriptedOrigin(OK) as second, ScriptedOrigin(OK) as third:
        for origin in (first, second, third):
            await fetch(pool, get(address(origin)))

        await eventually(lambda: set(pool.stats()) == {address(second), address(third)})
        await first.until(lambda origin: origin.open == 0)
        assert pool.waiting == 0


async def test_over_the_bound_of_connections_in_use_the_next_one_waits(make_pool: MakePool):
    pool = make_pool(max_connections=1)
    async with ScriptedOrigin(OK) as first, ScriptedOrigin(OK) as second:
        held = await pool.connect(address(first))
        same = asyncio.get_running_loop().create_task(pool.connect(address(first)))
        other = asyncio.get_running_loop().create_task(fetch(pool, get(address(second))))
        await eventually(lambda: pool.waiting == 2)
        reply = await held.exchange(get(address(first)), None, no_interim)
        await reply.body.read()

        assert (await same).reused
        (await same).release()
        await other
        assert (first.accepted, second.accepted) == (1, 1)
        await eventually(lambda: set(pool.stats()) == {address(second)})


async def test_a_connection_that_cannot_be_opened_takes_no_room(make_pool: MakePool, unused_tcp_port: int):
    pool = make_pool(max_connections=1)
    async with ScriptedOrigin(OK) as origin:
        for _ in range(2):
            with pytest.raises(ConnectRefused):
                await pool.connect(Origin("http", "127.0.0.1", unused_tcp_port))
        assert (await fetch(pool, get(address(origin)))).head.status == 200
        await fetch(pool, get(address(origin)))

        assert origin.accepted == 1


async def test_a_higher_bound_counts_at_once_and_a_closing_pool_lets_nobody_wait(make_pool: MakePool):
    pool = make_pool(max_connections=1)
    async with ScriptedOrigin(OK) as origin:
        held = await pool.connect(address(origin))
        second, third = (asyncio.get_running_loop().create_task(pool.connect(address(origin))) for _ in range(2))
        await eventually(lambda: pool.waiting == 2)
        pool.configure(UpstreamPoolSettings(max_connections=2))
        (await second).release()
        assert (await third).usable
        waiting = asyncio.get_running_loop().create_task(pool.connect(address(origin)))
        await eventually(lambda: pool.waiting == 1)
        await pool.aclose()

        with pytest.raises(ConnectRefused):
            await waiting
        held.release()


async def test_keepalive_can_be_changed_while_connections_wait(make_pool: MakePool):
    pool = make_pool(keepalive_s=3600.0, first_byte_timeout_s=0.05)
    async with ScriptedOrigin(OK) as origin:
        await fetch(pool, get(address(origin)))
        pool.configure(UpstreamPoolSettings(keepalive_s=0.05))

        await eventually(lambda: pool.stats() == {})


async def test_a_parent_proxy_that_is_no_url_is_a_configuration_error_without_the_password(make_pool: MakePool):
    with pytest.raises(ConfigError, match="upstream_proxy") as caught:
        make_pool(parent_proxy="socks5://me:secret@proxy")

    assert "secret" not in str(caught.value)
