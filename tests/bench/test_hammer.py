import asyncio
import json
import sys
from dataclasses import asdict

import pytest

from bench.hammer import Task, Wrong, address_tail, complete, quantile, request_bytes
from bench.load import HAMMER, OPEN, hammer, parse_report

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
PLAIN = Task(port=1, origin_port=80, path="/a?{n}", body_bytes=4)


def test_a_proxy_is_asked_for_the_absolute_url_and_each_time_for_another():
    assert request_bytes(PLAIN, 7) == b"GET http://127.0.0.1:80/a?7 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"


@pytest.mark.parametrize("how", [{"tls": True}, {"direct": True}])
def test_inside_tls_and_without_a_proxy_only_the_path_is_asked_for(how):
    assert request_bytes(Task(1, 443, "/a", 4, **how), 0).startswith(b"GET /a HTTP/1.1\r\nHost: 127.0.0.1:443\r\n")


def test_every_number_is_an_address_of_its_own_on_loopback():
    tails = {address_tail(number) for number in range(100_000)}

    assert len(tails) == 100_000
    assert all(0 <= int(part) <= 255 for tail in tails for part in tail.split("."))


@pytest.mark.parametrize("length", range(len(HEAD) + 5))
def test_an_answer_is_complete_with_its_last_byte_wherever_it_is_cut(length):
    assert complete((HEAD + b"body")[:length], 4) is (length == len(HEAD) + 4)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\n", "bad_statuses"),
        (HEAD + b"bodybody", "read_errors"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "read_errors"),
    ],
)
def test_another_answer_than_the_one_that_is_measured_is_an_error(answer, kind):
    with pytest.raises(Wrong, match=kind):
        complete(answer, 4)


def test_quantiles_of_nothing_are_nothing():
    assert quantile([], 0.5) == 0


def test_quantiles_are_values_that_were_measured():
    assert [quantile(list(range(100)), part) for part in (0.5, 0.99, 1.0)] == [50, 99, 99]


async def test_the_program_asks_as_often_as_it_is_told_and_counts_what_fails():
    asked = 0

    async def answer(reader, writer):
        nonlocal asked
        while await reader.readuntil(b"\r\n\r\n"):
            asked += 1
            if asked == 20:
                break
            writer.write(HEAD + b"body")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        task = Task(server.sockets[0].getsockname()[1], 80, "/a", 4, connections=4, count=30)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            HAMMER,
            json.dumps(asdict(task)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert (await process.stdout.readline()).decode().strip() == OPEN
        assert asked == 0
        said, _ = await process.communicate(b"\n")
    report = parse_report(said.decode())

    assert (report.requests, asked) == (29, 30)
    assert report.errors == ("read errors: 1",)


async def test_a_load_can_be_watched_from_when_its_connections_are_open():
    opened = asyncio.Event()
    loop = asyncio.get_running_loop()
    asked = []

    async def answer(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            asked.append((opened.is_set(), head))
            writer.write(HEAD + b"body")

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        task = Task(server.sockets[0].getsockname()[1], 80, "/a", 4, count=3)
        on_open = lambda: asyncio.run_coroutine_threadsafe(set_it(opened), loop).result()  # noqa: E731 - a callback
        report = await asyncio.to_thread(hammer, task, on_open)

    assert report.requests == 3
    assert [early for early, _ in asked] == [True] * 3


async def set_it(event):
    event.set()
