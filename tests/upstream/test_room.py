import asyncio

import pytest

from sluicegate.core.http import Origin
from sluicegate.errors import ConnectRefused
from sluicegate.upstream.room import Room
from sluicegate.upstream.wire import Wire
from support.upstream import eventually

FIRST, SECOND = Origin("http", "a.test", 80), Origin("http", "b.test", 80)


class House:
    """Idle connections that a room asks for."""

    def __init__(self, limit: int) -> None:
        self.idle: list[Wire] = []
        self.given: list[Wire] = []
        self.room = Room(limit, take=self.take, give=self.given.append, retire=self.retire)

    def take(self, origin: Origin) -> Wire | None:
        found = next((wire for wire in self.idle if wire.origin == origin), None)
        if found is not None:
            self.idle.remove(found)
        return found

    def retire(self) -> bool:
        if not self.idle:
            return False
        self.idle.pop(0)
        asyncio.get_running_loop().call_soon(self.room.leave)
        return True

    def ask(self, origin: Origin = FIRST, *, fresh: bool = False) -> "asyncio.Task[Wire | None]":
        return asyncio.get_running_loop().create_task(self.room.enter(origin, fresh=fresh))


async def test_those_over_the_bound_wait_and_come_in_turn():
    house = House(2)
    asked = [house.ask() for _ in range(4)]
    await eventually(lambda: house.room.waiting == 2)
    assert [task.done() for task in asked] == [True, True, False, False]
    house.room.leave()
    await asked[2]
    assert not asked[3].done()
    house.room.leave()

    assert await asked[3] is None
    assert house.room.taken == 2


async def test_an_idle_connection_is_closed_before_anybody_waits():
    house = House(1)
    await house.ask()
    house.idle.append(Wire(SECOND, lambda _: None))

    assert await house.ask() is None
    await eventually(lambda: house.room.taken == 1)
    assert house.idle == []


@pytest.mark.parametrize("fresh", [False, True])
async def test_who_waits_is_given_the_connection_of_his_origin_that_became_idle_unless_it_must_be_fresh(fresh: bool):
    house = House(1)
    await house.ask()
    waiting = house.ask(fresh=fresh)
    await eventually(lambda: house.room.waiting == 1)
    wire = Wire(FIRST, lambda _: None)
    house.idle.append(wire)
    house.room.admit()

    assert await waiting is (None if fresh else wire)
    await eventually(lambda: house.room.taken == 1)


@pytest.mark.parametrize("moment", ["waiting", "admitted", "given"])
async def test_who_leaves_takes_nobodys_place(moment: str):
    house = House(1)
    await house.ask()
    leaving, staying = house.ask(), house.ask(SECOND)
    await eventually(lambda: house.room.waiting == 2)
    wire = Wire(FIRST, lambda _: None)
    if moment == "admitted":
        house.room.leave()
    elif moment == "given":
        house.idle.append(wire)
        house.room.admit()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    if moment != "admitted":
        house.room.leave()

    assert await staying is None
    assert house.room.taken == 1
    assert house.given == ([wire] if moment == "given" else [])


async def test_one_who_left_is_passed_over():
    house = House(1)
    await house.ask()
    leaving, staying = house.ask(), house.ask()
    await eventually(lambda: house.room.waiting == 2)
    leaving.cancel()
    house.room.leave()

    assert await staying is None
    await asyncio.gather(leaving, return_exceptions=True)
    assert (house.room.taken, house.room.waiting) == (1, 0)


async def test_a_higher_bound_lets_in_who_waits():
    house = House(1)
    await house.ask()
    waiting = house.ask()
    await eventually(lambda: house.room.waiting == 1)
    house.room.limit = 2
    house.room.admit()

    assert await waiting is None


async def test_a_closed_room_tells_everybody():
    house = House(1)
    await house.ask()
    waiting = [house.ask() for _ in range(2)]
    await eventually(lambda: house.room.waiting == 2)
    house.room.close(lambda: ConnectRefused("closed"))

    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, ConnectRefused)
