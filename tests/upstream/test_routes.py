import socket

import pytest

from sluicegate.upstream.routes import Routes
from sluicegate.upstream.settings import AddressInfo


def four(number: int) -> AddressInfo:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 80))


def six(number: int) -> AddressInfo:
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (f"2001:db8::{number}", 80, 0, 0))


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def routes(now: list[float]) -> Routes:
    return Routes(lambda: now[0])


def test_rfc8305_4_families_take_turns_and_the_resolvers_choice_is_first(routes: Routes):
    assert routes.order([six(1), six(2), six(3), four(1), four(2)]) == [six(1), four(1), six(2), four(2), six(3)]
    assert routes.order([four(1), four(2), six(1)]) == [four(1), six(1), four(2)]


def test_the_address_that_worked_last_is_tried_first_for_ten_minutes(routes: Routes, now: list[float]):
    routes.report([four(1)], four(1))
    now[0] += 1
    routes.report([four(2)], four(2))
    assert routes.order([six(1), four(1), four(2)]) == [four(2), four(1), six(1)]

    now[0] += 600
    assert routes.order([six(1), four(1), four(2)]) == [six(1), four(1), four(2)]


def test_an_address_that_failed_is_tried_last_and_not_never_for_half_a_minute(routes: Routes, now: list[float]):
    routes.report([six(1), four(1)], four(1))
    assert routes.order([six(1), six(2), four(2)]) == [four(2), six(2), six(1)]

    now[0] += 30
    assert routes.order([six(1), six(2), four(2)]) == [six(1), four(2), six(2)]


def test_an_address_that_worked_and_fails_loses_its_place(routes: Routes, now: list[float]):
    routes.report([four(2)], four(2))
    routes.report([four(2)], None)
    assert routes.order([four(2), four(1)]) == [four(1), four(2)]
    now[0] += 30
    assert routes.order([four(1), four(2)]) == [four(1), four(2)]

    routes.report([four(2)], four(2))
    assert routes.order([four(1), four(2)]) == [four(2), four(1)]


def test_only_so_many_addresses_are_remembered(routes: Routes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sluicegate.upstream.routes._MAX_ADDRESSES", 2)
    for number in (1, 2, 3):
        routes.report([four(number)], None)

    assert routes.order([four(3), four(2), four(1)]) == [four(1), four(3), four(2)]
