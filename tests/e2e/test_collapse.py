"""Many clients ask a slow origin for the same thing at the same time: it is asked once, and all get everything."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from support.origin import ThreadedOrigin
from support.proxy import running_proxy, wait_until

CLIENTS = 20
PIECE = bytes(range(256)) * 256
PIECES = 16
ONE_A_MINUTE = {"hosts": {"127.0.0.1": {"rates": ["1/minute"], "max_wait": "1s"}}}


def in_pieces(*fields):
    """An origin that sends its response piece by piece, and gives others time in between."""

    async def handle(peer):
        while await peer.request() is not None:
            peer.send("\r\n".join(["HTTP/1.1 200 OK", "Cache-Control: max-age=60", *fields, "", ""]).encode())
            for _ in range(PIECES):
                peer.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if fields[0].startswith("Transfer") else PIECE)
                await peer.drain()
                await asyncio.sleep(0.02)  # the origin is slow; nothing is waited for
            if fields[0].startswith("Transfer"):
                peer.send(b"0\r\n\r\n")

    return ThreadedOrigin(handle)


def ask_together(proxy, url):
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda _: proxy.get(url), range(CLIENTS)))


def test_many_clients_cost_a_slow_origin_one_request(tmp_path):
    with (
        running_proxy(tmp_path, limits=ONE_A_MINUTE) as proxy,
        in_pieces(f"Content-Length: {len(PIECE) * PIECES}") as origin,
    ):
        replies = ask_together(proxy, origin.url + "/a")
        again = proxy.get(origin.url + "/a")
        wait_until(lambda: len(proxy.log_lines(event="access")) == CLIENTS + 1, "all access lines")
        outcomes = [line["cache"] for line in proxy.log_lines(event="access")]

        assert {reply.status for reply in replies} == {200}
        assert {reply.body for reply in replies} == {PIECE * PIECES}
        assert len(origin.log) == 1
        assert "hit" in (again.get("cache-status") or "")
        assert outcomes.count("miss") == 1
        assert outcomes.count("collapsed") >= CLIENTS // 2
        assert proxy.status()["totals"]["permits"] == 1


def test_a_response_of_unknown_length_is_shared_too(tmp_path):
    with running_proxy(tmp_path, limits=ONE_A_MINUTE) as proxy, in_pieces("Transfer-Encoding: chunked") as origin:
        replies = ask_together(proxy, origin.url + "/a")

        assert {reply.body for reply in replies} == {PIECE * PIECES}
        assert len(origin.log) == 1
