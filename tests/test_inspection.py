from sluicegate.clock import SystemClock
from sluicegate.config.load import load_settings
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.core.urls import request_for
from sluicegate.exchange.asking import OWN_CLIENT, ask
from sluicegate.exchange.call import Call
from sluicegate.inspection import Inspection
from sluicegate.observe.witness import Witness
from sluicegate.outgoing import Outgoing
from support.origin import ScriptedOrigin, answer, response

LIMIT = Limit("default", (Rate(3600.0, 1),))


def settings(directory, **environ):
    return load_settings(environ={"SLUICEGATE_STATE_DIR": str(directory), **environ}).settings


async def looked(configured, key="http://example.org/"):
    inspection = Inspection(configured, clock=SystemClock(), events=Witness())
    entries, wait_s = await inspection.stored(key), await inspection.wait_s("127.0.0.1", LIMIT)
    return entries, wait_s, inspection.remarks


async def test_where_nothing_is_nothing_is_made(tmp_path):
    entries, wait_s, remarks = await looked(settings(tmp_path / "state"))

    assert (entries, wait_s) == ([], 0.0)
    assert "no cache" in remarks[0]
    assert not (tmp_path / "state").exists()


async def test_what_another_process_stored_and_spent_is_seen_while_it_runs(tmp_path):
    configured = settings(tmp_path, SLUICEGATE_LIMITS__DEFAULT__RATES="1/hour")
    fresh = answer(response(body=b"hello", fields=[("Cache-Control", "max-age=60")]))
    async with ScriptedOrigin(fresh) as origin:
        outgoing = Outgoing(configured, clock=SystemClock(), events=Witness())
        try:
            await ask(outgoing.engine, Call("t", OWN_CLIENT, request_for(f"{origin.url}/a", [])))
        finally:
            await outgoing.close()
        entries, wait_s, remarks = await looked(configured, f"{origin.url}/a")

    assert [entry.body_length for entry in entries] == [5]
    assert 3000 < wait_s < 4000
    assert remarks == []


async def test_what_a_process_keeps_in_memory_is_said_to_be_unknown(tmp_path):
    configured = settings(tmp_path, SLUICEGATE_CACHE__STORE="memory", SLUICEGATE_LIMITS__BACKEND="memory")

    entries, wait_s, remarks = await looked(configured)

    assert (entries, wait_s) == ([], None)
    assert any("cache.store" in remark for remark in remarks)
    assert any("limits.backend" in remark for remark in remarks)


async def test_a_host_without_rates_waits_for_nothing_wherever_permits_are_kept(tmp_path):
    inspection = Inspection(
        settings(tmp_path, SLUICEGATE_LIMITS__BACKEND="memory"), clock=SystemClock(), events=Witness()
    )
    assert await inspection.wait_s("a", Limit("a")) == 0.0


async def test_permits_that_cannot_be_read_are_a_remark(tmp_path):
    (tmp_path / "permits.sqlite3").mkdir()

    _, wait_s, remarks = await looked(settings(tmp_path))

    assert wait_s is None
    assert any("permits could not be read" in remark for remark in remarks)
