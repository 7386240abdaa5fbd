import pytest

from sluicegate.core.access import AccessPolicy
from sluicegate.core.limits.model import Limit, Rate
from sluicegate.errors import DestinationForbidden, LoopDetected, Offline, WaitTooLong
from sluicegate.exchange.call import Identity
from sluicegate.proxy.wayside import Wayside
from support.engine import engine_bench

ME = Identity(b"me")


async def test_each_connection_costs_one_permit_and_keeps_no_slot():
    limit = Limit("default", (Rate(3600, 2),), concurrency=1)
    async with engine_bench(default=limit) as bench:
        wayside = Wayside(gate=bench.gate, access=AccessPolicy(), identity=ME)
        for _ in range(2):
            call = bench.call("https://up.test/")
            await wayside.permit(call)
            assert call.limit_key == "up.test"
        assert bench.gate.in_flight == 0

        with pytest.raises(WaitTooLong):
            await wayside.permit(bench.call("https://up.test/"))


async def test_loops_and_private_destinations_are_refused():
    async with engine_bench() as bench:
        wayside = Wayside(gate=bench.gate, access=AccessPolicy(allow_private=False), identity=ME)
        wayside.check("example.com", [])
        with pytest.raises(LoopDetected):
            wayside.check("example.com", [(b"Via", b"1.1 me")])
        with pytest.raises(DestinationForbidden):
            wayside.check("10.0.0.1", [])


async def test_a_name_that_leads_to_a_private_address_is_refused_by_a_guarded_proxy():
    async with engine_bench() as bench:
        guarded = Wayside(gate=bench.gate, access=AccessPolicy(allow_private=False), identity=ME)
        with pytest.raises(DestinationForbidden):
            await guarded.permitted_address("localhost", 80)

        free = Wayside(gate=bench.gate, access=AccessPolicy(), identity=ME)
        assert await free.permitted_address("localhost", 80) is None


async def test_offline_nothing_is_let_through():
    async with engine_bench() as bench:
        wayside = Wayside(gate=bench.gate, access=AccessPolicy(), identity=ME, offline=True)
        with pytest.raises(Offline):
            await wayside.permit(bench.call("https://up.test/"))
