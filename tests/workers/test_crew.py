import asyncio
import socket

import pytest

from sluicegate.clock import SystemClock
from sluicegate.errors import StartError
from sluicegate.workers import crew as module
from sluicegate.workers.crew import Crew


class Told:
    """An event sink that can be waited for."""

    def __init__(self):
        self.events = []
        self._more = asyncio.Event()

    def emit(self, event):
        self.events.append(event)
        self._more.set()

    async def until(self, name, count=1):
        async with asyncio.timeout(20):
            while len(found := [event for event in self.events if event.event == name]) < count:
                self._more.clear()
                await self._more.wait()
        return found


@pytest.fixture
async def made():
    crews = []

    def make(count):
        told, retired = Told(), []
        crews.append(Crew(count, clock=SystemClock(), events=told, retire=retired.append))
        crews[-1].listen("127.0.0.1", 0)
        return crews[-1], told, retired

    yield make
    for crew in crews:
        crew.stop_listening()
        crew.cut_short()
        await crew.end(0)
        assert [post.life for post in crew.posts] == [None] * len(crew.posts), "somebody was left behind"


async def test_all_are_there_after_the_start_and_none_after_the_end(made, stand_in, loaded):
    stand_in("good")
    crew, told, retired = made(3)

    await crew.start(loaded)
    await crew.refresh()
    assert [life.report.status["totals"]["requests"] for life in crew.lives] == [1, 1, 1]
    assert len({event.fields["pid"] for event in await told.until("worker_started", 3)}) == 3
    await crew.end(20)

    assert crew.lives == []
    assert [report.last for report in retired] == [True, True, True]
    assert [event.event for event in told.events] == ["worker_started"] * 3, "an end that was wanted is no death"


async def test_a_crew_that_cannot_start_says_why(made, stand_in, loaded):
    stand_in("fails")
    crew, _, _ = made(2)

    with pytest.raises(StartError, match="There is no room") as caught:
        await crew.start(loaded)
    assert caught.value.advice == "Make some."


async def test_a_worker_that_dies_is_replaced_and_what_it_counted_is_kept(made, stand_in, loaded):
    stand_in("good")
    crew, told, retired = made(2)
    await crew.start(loaded)
    await crew.refresh()
    other = crew.posts[1].life

    crew.posts[0].life.kill()
    (died,) = await told.until("worker_died")
    await told.until("worker_started", 3)

    assert died.fields["how"] == "signal 9, SIGKILL"
    assert "started now" in died.message
    assert [post.restarts for post in crew.posts] == [1, 0]
    assert crew.posts[1].life is other
    assert [report.status["totals"]["requests"] for report in retired] == [1]
    assert len(crew.lives) == 2


async def test_a_replacement_that_cannot_start_is_tried_again_after_a_while(made, stand_in, loaded, tmp_path):
    (tmp_path / "lives").mkdir()
    stand_in(f"once {tmp_path / 'lives'}")
    crew, told, _ = made(1)
    address = crew.posts[0].listening.getsockname()
    await crew.start(loaded)

    crew.posts[0].life.kill()
    _, second = await told.until("worker_died", 2)
    with pytest.raises(ConnectionRefusedError):  # rather than wait for nobody
        socket.create_connection(address, timeout=10)
    await told.until("worker_started", 2)
    socket.create_connection(address, timeout=10).close()

    assert "There is no room" in second.message
    assert "in 0.5 s" in second.message
    assert crew.posts[0].restarts == 2


async def test_another_configuration_goes_to_all_and_who_does_not_take_it_is_named(made, stand_in, loaded):
    stand_in("good")
    crew, _, _ = made(2)
    await crew.start(loaded)
    assert await crew.configure(loaded) == {}

    stand_in("silent")
    other, _, _ = made(1)
    await other.start(loaded)
    assert await other.configure(loaded) == {other.lives[0].pid: "it does not like it"}


async def test_who_cannot_hear_is_killed_in_the_end(made, stand_in, loaded, monkeypatch):
    monkeypatch.setattr(module, "_KILL_AFTER_S", 0.0)
    monkeypatch.setattr(module, "_BEYOND_DRAIN_S", 0.0)
    stand_in("deaf")
    crew, _, _ = made(1)
    await crew.start(loaded)

    await asyncio.wait_for(crew.end(0), 20)

    assert crew.lives == []


async def test_a_crew_that_is_cut_short_while_it_starts_is_not_replaced(made, stand_in, loaded):
    stand_in("good")
    crew, told, _ = made(2)
    starting = asyncio.get_running_loop().create_task(crew.start(loaded))
    await told.until("worker_started")

    crew.cut_short()
    await asyncio.wait_for(starting, 20)

    _, unfinished = await asyncio.wait(crew._keepers, timeout=20)
    assert not unfinished
    assert not [event for event in told.events if event.event == "worker_died"]


async def test_a_stuck_worker_does_not_hold_up_the_report_of_the_others(made, stand_in, loaded, monkeypatch):
    monkeypatch.setattr(module, "RESPONSE_S", 0.05)
    stand_in("silent")
    crew, _, _ = made(1)
    await crew.start(loaded)

    await asyncio.wait_for(crew.refresh(), 20)

    assert crew.lives[0].report is None
