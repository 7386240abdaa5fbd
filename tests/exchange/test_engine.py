import json

import pytest

from sluicegate.core.access import AccessPolicy
from sluicegate.exchange.bodies import BytesBody
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

HELLO = answer(response(body=b"hello", fields=[("Cache-Control", "no-store"), ("X-One", "1"), ("x-one", "2")]))


async def test_a_request_reaches_the_origin_and_its_answer_comes_back():
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/a?b=c")

    assert (whole.status, whole.body) == (200, b"hello")
    assert [(name, value) for name, value in whole.fields if name.lower() == b"x-one"] == [
        (b"X-One", b"1"),
        (b"x-one", b"2"),
    ]
    assert origin.log[0].target == "/a?b=c"


async def test_what_concerns_only_the_clients_connection_stays_here():
    fields = [
        (b"Connection", b"X-Secret, close"),
        (b"X-Secret", b"1"),
        (b"Proxy-Authorization", b"Basic dTpw"),
        (b"Proxy-Connection", b"keep-alive"),
        (b"TE", b"trailers"),
        (b"Expect", b"100-continue"),
        (b"Accept", b"text/html"),
    ]
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/", fields=fields)

    names = {name.lower() for name, _ in origin.log[0].fields}
    assert names & {b"x-secret", b"proxy-authorization", b"proxy-connection", b"te", b"expect"} == set()
    assert b"accept" in names


async def test_both_directions_name_this_proxy_in_via():
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/")

    assert origin.log[0].get("via") == "1.1 sluicegate-test"
    assert whole.get("via") == "1.1 sluicegate-test"


async def test_a_response_without_a_date_gets_one():
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/")

    assert whole.get("date").endswith(" GMT")


async def test_a_date_that_was_for_the_connection_only_is_replaced_by_our_own():
    fields = [("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Connection", "date"), ("Cache-Control", "no-store")]
    async with ScriptedOrigin(answer(response(fields=fields))) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/")

    assert whole.get("date").endswith(" GMT")
    assert "1994" not in whole.get("date")


async def test_a_request_that_comes_round_again_is_a_loop():
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/", fields=[(b"Via", b"1.1 other, 1.1 sluicegate-test")])

    assert whole.status == 508
    assert "proxy_loop_detected" in whole.get("proxy-status")
    assert origin.log == []


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 204), ("TRACE", 200)])
async def test_max_forwards_zero_is_answered_here(method, status):
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/", method=method, fields=[(b"Max-Forwards", b"0"), (b"Cookie", b"s=1")])

    assert whole.status == status
    assert b"s=1" not in whole.body
    assert origin.log == []


async def test_max_forwards_is_counted_down():
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/", method="OPTIONS", fields=[(b"Max-Forwards", b"5")])

    assert origin.log[0].get("max-forwards") == "4"


async def test_a_refused_connection_is_a_problem_that_says_what_to_do():
    async with ScriptedOrigin(HELLO) as origin:
        url = origin.url
    async with engine_bench() as bench:
        whole = await bench.ask(url + "/")

    assert whole.status == 502
    assert whole.get("content-type") == "application/problem+json"
    assert "error=connection_refused" in whole.get("proxy-status")
    problem = json.loads(whole.body)
    assert problem["status"] == 502
    assert problem["request_id"] == whole.call.request_id
    assert bench.gate.in_flight == 0


async def test_a_private_destination_is_refused_for_a_guarded_proxy():
    async with ScriptedOrigin(HELLO) as origin, engine_bench(access=AccessPolicy(allow_private=False)) as bench:
        whole = await bench.ask(origin.url + "/")

    assert whole.status == 403
    assert "destination_ip_prohibited" in whole.get("proxy-status")
    assert origin.accepted == 0


async def test_a_request_body_arrives_whole():
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/", method="POST", body=BytesBody(b"x" * 300_000))

    assert origin.log[0].body == b"x" * 300_000


async def test_a_fault_of_our_own_is_answered_and_not_forwarded(caplog, monkeypatch):
    def broken(_fields, _pseudonym):
        raise RuntimeError("a bug")

    monkeypatch.setattr("sluicegate.exchange.engine.check_loop", broken)
    async with ScriptedOrigin(HELLO) as origin, engine_bench() as bench:
        whole = await bench.ask(origin.url + "/")

    assert whole.status == 502
    assert b"a bug" not in whole.body
    assert "a bug" in caplog.text
    assert origin.accepted == 0
