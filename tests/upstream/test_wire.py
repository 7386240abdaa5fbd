import asyncio

from sluicegate.core.http import Origin
from sluicegate.upstream.wire import Wire
from support.origin import ScriptedOrigin, hang
from support.upstream import eventually


async def test_a_lost_wire_tells_its_owner_once_and_frees_whoever_waits_to_write():
    lost: list[Wire] = []
    async with ScriptedOrigin(hang) as origin:
        _, wire = await asyncio.get_running_loop().create_connection(
            lambda: Wire(Origin("http", "127.0.0.1", origin.port), lost.append), "127.0.0.1", origin.port
        )
        wire.pause_writing()
        waiting = asyncio.get_running_loop().create_task(wire.drained())
        wire.abort()
        wire.abort()
        await waiting
        await eventually(lambda: lost == [wire])

        assert (wire.lost, wire.usable, wire.congested) == (True, False, False)
        wire.abort()
