from mitmproxy.test import tflow

from sluicegate.core.events import Access
from sluicegate.core.http import Origin, RequestHead
from sluicegate.errors import BadRequest, ClientGone
from support.addonkit import addon_on, connect_to, context_of
from support.engine import engine_bench

HEAD = RequestHead("GET", Origin("http", "up.test", 80), "/")


async def test_each_call_has_an_id_of_its_own_and_the_clients_address():
    async with engine_bench() as bench, addon_on(bench) as addon:
        client = context_of(addon).client
        first, second = addon._hub.call(client, HEAD), addon._hub.call(client, HEAD)

    assert first.request_id != second.request_id
    assert first.client == "127.0.0.1"


async def test_a_flow_is_refused_whatever_the_error(caplog):
    async with engine_bench() as bench, addon_on(bench) as addon:
        statuses = []
        for error in (BadRequest("no"), RuntimeError("a bug")):
            flow = connect_to("up.test")
            addon._hub.refuse(flow, addon._hub.call(flow.client_conn, HEAD), error)
            statuses.append(flow.response.status_code)

    assert statuses == [400, 502]
    assert "a bug" in caplog.text
    assert [access.status for access in bench.events.of(Access)] == [400, 502]


async def test_a_client_that_is_gone_is_not_answered():
    async with engine_bench() as bench, addon_on(bench) as addon:
        flow = tflow.tflow()
        flow.live = True
        addon._hub.refuse(flow, addon._hub.call(flow.client_conn, HEAD), ClientGone("left"))

    assert flow.error is not None
    assert bench.events.of(Access)[0].error == "client_gone"
