import asyncio
import gc
import os
import signal

import uvloop

from sluicegate.loop import handle_signals, rest_collector, run


def test_the_loop_is_uvloop_and_the_result_comes_back():
    async def loop_class():
        return type(asyncio.get_running_loop())

    assert run(loop_class()) is uvloop.Loop


def test_signals_stop_and_reload():
    async def received():
        calls = asyncio.Queue()
        handle_signals(lambda: calls.put_nowait("stop"), lambda: calls.put_nowait("reload"))
        seen = []
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(os.getpid(), number)
            seen.append(await asyncio.wait_for(calls.get(), 10))
        return seen

    assert run(received()) == ["stop", "reload", "stop"]


def test_what_the_start_made_is_left_out_of_collections():
    threshold = gc.get_threshold()
    try:
        rest_collector()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > threshold[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)
