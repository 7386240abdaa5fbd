from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

PLAIN = answer(response(body=b"ok", fields=[("Cache-Control", "no-store")]))


async def test_given_up_it_holds_neither_place_nor_connection_however_often():
    async with ScriptedOrigin(PLAIN) as origin, engine_bench() as bench:
        await bench.ask(origin.url + "/warm")
        call = bench.call(origin.url + "/a")
        sent = bench.engine.misses.forwarder.send_now(call, call.request, lambda: None)
        assert bench.gate.in_flight == 1

        sent.abandon()
        sent.abandon()

        assert bench.gate.in_flight == 0
        await origin.until(lambda server: server.open == 0)
