import asyncio
import inspect
import os
import signal

import pytest
import uvloop

from sluicegate.loop import handle_signals, run


def test_the_loop_is_uvloop_and_the_result_comes_back():
    async def loop_class():
        return type(asyncio.get_running_loop())

    assert run(loop_class()) is uvloop.Loop


def test_what_an_interrupt_kept_from_beginning_is_closed(monkeypatch):
    async def never_begun():
        pass

    def interrupted(_main):
        raise KeyboardInterrupt

    monkeypatch.setattr(uvloop, "run", interrupted)
    main = never_begun()

    with pytest.raises(KeyboardInterrupt):
        run(main)

    assert inspect.getcoroutinestate(main) == inspect.CORO_CLOSED


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
