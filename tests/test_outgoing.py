from sluicegate.clock import SystemClock
from sluicegate.config.load import load_settings
from sluicegate.core.urls import request_for
from sluicegate.exchange.asking import OWN_CLIENT, ask
from sluicegate.exchange.call import Call
from sluicegate.observe.witness import Witness
from sluicegate.outgoing import Outgoing
from support.origin import ScriptedOrigin, answer, response

FRESH = answer(response(body=b"hello", fields=[("Cache-Control", "max-age=60")]))
ONE_AN_HOUR = {"SLUICEGATE_LIMITS__DEFAULT__RATES": "1/hour"}


def settings(directory, **environ):
    return load_settings(environ={"SLUICEGATE_STATE_DIR": str(directory), **environ}).settings


async def asked(outgoing, url):
    call = Call("t", OWN_CLIENT, request_for(url, []))
    return await ask(outgoing.engine, call), call


async def test_what_one_process_stored_another_finds_and_what_it_spent_is_spent(tmp_path):
    async with ScriptedOrigin(FRESH) as origin:
        for expected in (("miss", 200), ("hit", 200)):
            outgoing = Outgoing(settings(tmp_path, **ONE_AN_HOUR), clock=SystemClock(), events=Witness())
            found, call = await asked(outgoing, f"{origin.url}/a")
            other, _ = await asked(outgoing, f"{origin.url}/b") if expected[0] == "hit" else (None, None)
            await outgoing.close()
            assert (call.cache, found.head.status) == expected

    assert other.head.status == 429
    assert len(origin.log) == 1


async def test_another_configuration_takes_effect(tmp_path):
    async with ScriptedOrigin(FRESH) as origin:
        outgoing = Outgoing(settings(tmp_path, **ONE_AN_HOUR), clock=SystemClock(), events=Witness())
        try:
            await asked(outgoing, f"{origin.url}/a")
            await outgoing.configure(settings(tmp_path, SLUICEGATE_CACHE__MODE="off"))
            _, call = await asked(outgoing, f"{origin.url}/a")
        finally:
            await outgoing.close()

    assert call.cache == "bypass"
    assert len(origin.log) == 2


async def test_nothing_that_waits_in_the_background_leaves_once_it_is_offline(tmp_path):
    stale = [("Cache-Control", "max-age=10, stale-while-revalidate=600"), ("Age", "30")]
    async with ScriptedOrigin(answer(response(body=b"hello", fields=stale))) as origin:
        outgoing = Outgoing(
            settings(tmp_path, **ONE_AN_HOUR), clock=SystemClock(), events=Witness(), patience_s=10_000.0
        )
        try:
            calls = [(await asked(outgoing, f"{origin.url}/a"))[1] for _ in range(2)]
            waiting = outgoing.flights.background.count
            await outgoing.configure(settings(tmp_path, SLUICEGATE_CACHE__OFFLINE="true"))
            left = outgoing.flights.background.count
        finally:
            await outgoing.close()

    assert [call.cache for call in calls] == ["miss", "stale"]
    assert (waiting, left, len(origin.log)) == (1, 0, 1)


async def test_whoever_has_patience_waits_longer_than_clients_may(tmp_path):
    outgoing = Outgoing(settings(tmp_path), clock=SystemClock(), events=Witness(), patience_s=1000.0)
    try:
        limit, _ = outgoing.table.match("example.org")
        assert limit.max_wait_s == 1000.0
        await outgoing.configure(settings(tmp_path))
        limit, _ = outgoing.table.match("example.org")
        assert limit.max_wait_s == 1000.0
    finally:
        await outgoing.close()


async def test_a_private_destination_is_refused_where_access_says_so(tmp_path):
    guarded = settings(tmp_path, SLUICEGATE_ACCESS__ALLOW="10.0.0.0/8")
    outgoing = Outgoing(guarded, clock=SystemClock(), events=Witness())
    try:
        found, call = await asked(outgoing, "http://127.0.0.1:9/")
    finally:
        await outgoing.close()

    assert (found.head.status, call.error) == (403, "destination_ip_prohibited")
