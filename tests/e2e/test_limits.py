"""What the limiter promises, counted by origins on their own clocks."""

import asyncio
import itertools
import json
import socket
import time

import pytest
import trustme

from support.load import Client, Holding, ask, crowd, pressing, queue_at
from support.origin import Peer, ScriptedOrigin, answer, response
from support.proxy import running_proxy, wait_until
from support.upstream import eventually
from support.windows import JITTER_S, Stopwatch, worst_window

OK = answer(response(body=b"ok"))
CACHEABLE = answer(response(body=b"ok", fields=[("Cache-Control", "max-age=600")]))
HALF_MINUTE = {"rates": ["1/30second"], "max_wait": "60s"}

# Each test has hosts of its own, and so limits of its own, at one proxy.
HOSTS = {
    "127.0.0.1": {"rates": "unlimited", "concurrency": 100},
    "127.0.1.1": {"rates": ["20/second"], "concurrency": 64},
    "127.0.2.1": HALF_MINUTE,
    "127.0.3.1": {"rates": ["1/2second"], "max_wait": "3s"},
    "127.0.4.1": {"rates": ["1/30second"], "max_wait": "120s", "max_queue": 2},
    "127.0.5.1": {"rates": ["1/30second"], "max_wait": "5s"},
    "127.0.6.1": {"rates": "unlimited", "concurrency": 2},
    "127.0.7.1": {"rates": ["1/2second"]},
    "127.0.8.1": HALF_MINUTE,
    "127.0.9.1": {"rates": ["5/second", "8/3second"], "concurrency": 20},
}


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, authority):
    directory = tmp_path_factory.mktemp("limits")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    with running_proxy(directory, limits={"hosts": HOSTS}, https={"upstream_ca": str(directory / "ca.pem")}) as running:
        yield running


def urls(origin):
    """One URL after another, none of them twice."""
    return (f"{origin.url}/{number}" for number in itertools.count())


async def test_64_clients_for_10_seconds_never_exceed_20_a_second_and_use_97_percent(proxy):
    with Stopwatch("127.0.1.1") as limited, Stopwatch("127.0.0.1") as free:
        cached = f"{limited.url}/cached"
        await ask(proxy, cached)
        async with pressing([proxy], urls(limited), 64) as replies:
            await queued(proxy, "127.0.1.1", at_least=40)
            async with Client(proxy) as other:
                for number in range(100):
                    assert (await other.ask(f"{free.url}/{number}")).status == 200
            hit = await ask(proxy, cached)
            assert await asyncio.to_thread(queue_at, proxy, "127.0.1.1") > 0, "the queue stood all the while"
            first = limited.times()[0]
            await eventually(lambda: time.monotonic() > first + 10.2, 15)

    times = limited.times()
    assert worst_window(times, 1 - JITTER_S) <= 20
    assert sum(at < first + 10 for at in times) >= 0.97 * 200
    assert {reply.status for reply in replies} == {200}
    assert hit.status == 200
    assert len(limited.times("/cached")) == 1
    assert len(free.times()) == 100


async def test_several_windows_hold_at_once(proxy):
    with Stopwatch("127.0.9.1") as origin:
        replies = await crowd(proxy, itertools.islice(urls(origin), 17))

    assert {reply.status for reply in replies} == {200}
    assert worst_window(origin.times(), 1 - JITTER_S) <= 5
    assert worst_window(origin.times(), 3 - JITTER_S) <= 8


async def test_a_cached_url_is_answered_while_requests_to_its_host_wait(proxy):
    async with ScriptedOrigin(CACHEABLE, host="127.0.2.1") as origin:
        await ask(proxy, f"{origin.url}/cached")
        waits = asyncio.gather(ask(proxy, f"{origin.url}/other"))
        await eventually(lambda: queue_at(proxy, "127.0.2.1") == 1)

        hit = await ask(proxy, f"{origin.url}/cached")

        assert queue_at(proxy, "127.0.2.1") == 1
        assert hit.body == b"ok"
        assert len(origin.log) == 1
        waits.cancel()


async def test_a_client_that_leaves_the_queue_spends_nothing_and_the_next_takes_its_place(proxy):
    async with ScriptedOrigin(OK, host="127.0.3.1") as origin:
        await ask(proxy, f"{origin.url}/first")
        leaves = asyncio.gather(ask(proxy, f"{origin.url}/leaves"))
        await eventually(lambda: queue_at(proxy, "127.0.3.1") == 1)
        # The second in the queue would wait 4 s, and 3 s are allowed.
        assert (await ask(proxy, f"{origin.url}/refused")).status == 429
        leaves.cancel()
        await eventually(lambda: queue_at(proxy, "127.0.3.1") == 0)

        reply = await ask(proxy, f"{origin.url}/next")

        assert reply.status == 200
        assert [seen.target for seen in origin.log] == ["/first", "/next"]


async def test_a_full_queue_refuses_with_429_and_says_limit_wait_and_cure(proxy):
    async with ScriptedOrigin(OK, host="127.0.4.1") as origin:
        await ask(proxy, f"{origin.url}/first")
        waiting = asyncio.gather(*(ask(proxy, f"{origin.url}/{number}") for number in range(2)))
        await eventually(lambda: queue_at(proxy, "127.0.4.1") == 2)

        reply = await ask(proxy, f"{origin.url}/one-too-many")

        waiting.cancel()
        assert_refused(reply, "127.0.4.1", between=(60, 92))
        assert "max_queue" in json.loads(reply.body)["detail"]
        assert len(origin.log) == 1


async def test_a_wait_over_max_wait_is_foreseen_and_refused_with_429(proxy):
    async with ScriptedOrigin(OK, host="127.0.5.1") as origin:
        await ask(proxy, f"{origin.url}/first")

        reply = await ask(proxy, f"{origin.url}/second")

        assert_refused(reply, "127.0.5.1", between=(20, 31))
        assert "max_wait" in json.loads(reply.body)["detail"]
        assert len(origin.log) == 1


def assert_refused(reply, limit, *, between):
    problem = json.loads(reply.body)
    low, high = between
    assert reply.status == problem["status"] == 429
    assert reply.get("content-type") == "application/problem+json"
    assert low <= int(reply.get("retry-after")) <= high
    assert low <= problem["retry_after_s"] <= high
    assert problem["limit"] == limit
    assert "Retry-After" in problem["advice"]
    assert reply.get("proxy-status").startswith("Sluicegate; error=http_request_denied")


async def test_no_more_requests_than_concurrency_are_open_at_a_host(proxy):
    held = Holding()
    async with ScriptedOrigin(held, host="127.0.6.1") as origin:
        all_of_them = asyncio.gather(crowd(proxy, itertools.islice(urls(origin), 10)))
        await eventually(lambda: queue_at(proxy, "127.0.6.1") == 8 and held.now == 2)
        held.release.set()
        [replies] = await all_of_them

        assert [reply.status for reply in replies] == [200] * 10
        assert held.most == 2
        assert origin.accepted == 2


async def test_no_more_requests_than_max_inflight_are_open_at_all_hosts_together(tmp_path):
    held = Holding()
    limits = {"max_inflight": 3, "default": {"rates": "unlimited"}}
    async with ScriptedOrigin(held, host="127.0.0.1") as one, ScriptedOrigin(held, host="127.0.0.2") as two:
        with running_proxy(tmp_path, limits=limits) as bounded:
            wanted = [*itertools.islice(urls(one), 5), *itertools.islice(urls(two), 5)]
            all_of_them = asyncio.gather(crowd(bounded, wanted))
            await eventually(lambda: queue_at(bounded, "127.0.0.1") + queue_at(bounded, "127.0.0.2") == 7)
            await eventually(lambda: held.now == 3)
            held.release.set()
            [replies] = await all_of_them

    assert [reply.status for reply in replies] == [200] * 10
    assert held.most == 3


async def test_expect_100_continue_is_answered_after_the_permit_and_not_before(proxy):
    async with ScriptedOrigin(OK, host="127.0.7.1") as origin:
        await ask(proxy, f"{origin.url}/first")
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        target = f"{origin.url}/upload HTTP/1.1\r\nHost: {origin.host}:{origin.port}"
        writer.write(f"POST {target}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode())
        await eventually(lambda: queue_at(proxy, "127.0.7.1") == 1)
        told = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))  # noqa: TID251 - awaited below
        assert queue_at(proxy, "127.0.7.1") == 1
        await asyncio.wait([told], timeout=0)
        assert not told.done(), "the client was asked for its body while the request waited"

        assert (await told).startswith(b"HTTP/1.1 100 ")
        assert [seen.target for seen in origin.log] == ["/first", "/upload"]
        writer.write(b"body")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert origin.log[1].body == b"body"
        writer.close()


async def test_a_permit_is_spent_by_the_request_that_is_sent_not_by_one_that_still_connects(proxy, authority):
    """The TLS handshake of one request is held up; another to the same host overtakes it and gets the only permit."""
    go_on = asyncio.Event()
    async with (
        ScriptedOrigin(OK, host="127.0.8.1", tls=authority.issue_cert("127.0.8.1")) as secure,
        ScriptedOrigin(held_relay(secure.host, secure.port, go_on), host="127.0.8.1") as relay,
        ScriptedOrigin(OK, host="127.0.8.1") as plain,
    ):
        slow = asyncio.gather(ask(proxy, f"https://127.0.8.1:{relay.port}/slow"))
        await relay.until(lambda origin: origin.open == 1)

        quick = await ask(proxy, f"{plain.url}/quick")
        go_on.set()
        await eventually(lambda: queue_at(proxy, "127.0.8.1") == 1 and secure.accepted == 1)

        assert quick.status == 200
        assert secure.log == []
        slow.cancel()


def held_relay(host, port, go_on):
    """Passes bytes on to another server, but none before `go_on`."""

    async def relay(peer: Peer) -> None:
        await go_on.wait()
        reader, writer = await asyncio.open_connection(host, port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(copy(peer.reader, writer))
                group.create_task(copy(reader, peer.writer))
        finally:
            writer.close()

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    return relay


async def test_a_killed_proxy_has_forgotten_nothing_when_it_is_started_again(tmp_path):
    limits = {"hosts": {"127.0.0.1": {"rates": ["10/6second"], "concurrency": 20}}}
    with Stopwatch("127.0.0.1") as origin:
        wanted = urls(origin)
        with running_proxy(tmp_path, limits=limits) as first:
            await crowd(first, itertools.islice(wanted, 10))
            waiting = asyncio.gather(crowd(first, itertools.islice(wanted, 5)), return_exceptions=True)
            await queued(first, "127.0.0.1", at_least=5)
            first.process.kill()
            first.process.wait()
            await waiting
        with running_proxy(tmp_path, limits=limits) as second:
            replies = await crowd(second, itertools.islice(wanted, 5))

    assert [reply.status for reply in replies] == [200] * 5
    assert len(origin.times()) == 15
    assert worst_window(origin.times(), 6 - JITTER_S) <= 10


async def test_two_proxies_on_one_state_directory_keep_one_limit_together(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    shared = {
        "limits": {"hosts": {"127.0.0.1": {"rates": ["20/second"], "concurrency": 40}}},
        "state_dir": str(tmp_path / "state"),
    }
    with (
        Stopwatch("127.0.0.1") as origin,
        running_proxy(tmp_path / "a", **shared) as a,
        running_proxy(tmp_path / "b", **shared) as b,
    ):
        async with pressing([a, b], urls(origin), 16):
            await eventually(lambda: len(origin.times()) >= 60, 20)
        permits = [running.status()["totals"]["permits"] for running in (a, b)]

    assert worst_window(origin.times(), 1 - JITTER_S) <= 20
    assert min(permits) > 5, f"both had their share: {permits}"


async def queued(proxy, host, *, at_least):
    """Return once so many requests wait for `host`."""
    await asyncio.to_thread(wait_until, lambda: queue_at(proxy, host) >= at_least, f"{at_least} requests to wait")


async def test_requests_of_a_pipelining_client_are_each_counted(proxy):
    async with ScriptedOrigin(OK, host="127.0.10.1") as origin:
        request = f"GET {origin.url}/%d HTTP/1.1\r\nHost: {origin.host}:{origin.port}\r\n\r\n"
        connection = proxy.raw("".join(request % number for number in range(15)).encode())
        await eventually(lambda: len(origin.log) == 15)
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    assert [seen.target for seen in origin.log] == [f"/{number}" for number in range(15)]
    assert worst_window([seen.at for seen in origin.log], 1 - JITTER_S) <= 10
