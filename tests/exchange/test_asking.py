import pytest

from sluicegate.exchange.asking import ask
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, once, response

FRESH = answer(response(body=b"hello", fields=[("Cache-Control", "max-age=60")]))


async def test_the_body_is_read_to_its_end_and_kept_by_the_cache():
    pieces = []
    async with ScriptedOrigin(FRESH) as origin, engine_bench() as bench:
        first = await ask(bench.engine, bench.call(f"{origin.url}/a"), pieces.append)
        again = bench.call(f"{origin.url}/a")
        second = await ask(bench.engine, again)

    assert (first.head.status, first.body_bytes, b"".join(pieces)) == (200, 5, b"hello")
    assert (again.cache, second.body_bytes, second.error) == ("hit", 5, "")
    assert len(origin.log) == 1


async def test_the_body_of_a_hit_may_be_left_where_it_is():
    async with ScriptedOrigin(FRESH) as origin, engine_bench() as bench:
        missed = await ask(bench.engine, bench.call(f"{origin.url}/a"), read_hits=False)
        hit = await ask(bench.engine, bench.call(f"{origin.url}/a"), read_hits=False)

    assert (missed.body_bytes, hit.body_bytes) == (5, 0)


async def test_an_answer_of_our_own_is_an_error_with_a_sentence():
    async with engine_bench() as bench:
        asked = await ask(bench.engine, bench.call("http://127.0.0.1:9/"))

    assert (asked.error, asked.head.status) == ("connection_refused", 502)
    assert "127.0.0.1:9" in asked.detail


async def test_a_body_that_breaks_off_is_an_error():
    cut = once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    async with ScriptedOrigin(cut) as origin, engine_bench() as bench:
        asked = await ask(bench.engine, bench.call(f"{origin.url}/a"))
        assert bench.gate.in_flight == 0

    assert asked.error == "http_response_incomplete"
    assert asked.detail


async def test_whoever_has_enough_may_stop_and_nothing_is_held():
    def enough(_piece):
        raise OverflowError

    async with ScriptedOrigin(FRESH) as origin, engine_bench() as bench:
        with pytest.raises(OverflowError):
            await ask(bench.engine, bench.call(f"{origin.url}/a"), enough)
        assert bench.gate.in_flight == 0
