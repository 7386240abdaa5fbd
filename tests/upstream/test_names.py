import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import pytest

from sluicegate.errors import NameNotResolved
from sluicegate.upstream.names import Names, system_resolve
from sluicegate.upstream.settings import AddressInfo
from support.upstream import eventually

TTL_S = 30.0


def info(ip: str, port: int = 80) -> AddressInfo:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))


class Resolver:
    """Answers what it is told to; `hold` makes it wait."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.answer: Sequence[AddressInfo] | Exception = [info("192.0.2.1")]
        self.hold: asyncio.Event | None = None

    async def __call__(self, host: str, port: int) -> Sequence[AddressInfo]:
        self.asked.append((host, port))
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def resolver() -> Resolver:
    return Resolver()


@pytest.fixture
async def now() -> list[float]:
    return [1000.0]


@pytest.fixture
async def names(resolver: Resolver, now: list[float]) -> AsyncIterator[Names]:
    made = Names(resolver, ttl_s=TTL_S, now=lambda: now[0])
    yield made
    made.close()


TEMPORARY = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_addresses_are_used_for_their_time(names: Names, resolver: Resolver, now: list[float]):
    for moved, asked in [(0.0, 1), (TTL_S - 0.1, 1), (0.2, 2), (1.0, 2)]:
        now[0] += moved
        assert await names.addresses("a.test", 80) == [info("192.0.2.1")]
        assert len(resolver.asked) == asked


async def test_a_shorter_time_counts_for_what_is_asked_from_now_on(names: Names, resolver: Resolver):
    names.ttl_s = 0.0
    await names.addresses("a.test", 80)
    await names.addresses("a.test", 80)

    assert len(resolver.asked) == 2


async def test_who_asks_at_the_same_time_shares_one_answer_and_may_leave(names: Names, resolver: Resolver):
    resolver.hold = asyncio.Event()
    asking = [asyncio.get_running_loop().create_task(names.addresses("a.test", 80)) for _ in range(3)]
    await eventually(lambda: len(resolver.asked) == 1)
    asking[0].cancel()
    await asyncio.gather(asking[0], return_exceptions=True)
    resolver.hold.set()

    assert await asyncio.gather(*asking[1:]) == [[info("192.0.2.1")]] * 2
    assert len(resolver.asked) == 1


@pytest.mark.parametrize("failure", [UNKNOWN, TEMPORARY, UnicodeError("label too long")])
async def test_a_failure_is_remembered_for_a_second(
    names: Names, resolver: Resolver, now: list[float], failure: Exception
):
    resolver.answer = failure
    for moved, asked in [(0.0, 1), (0.9, 1), (0.2, 2)]:
        now[0] += moved
        with pytest.raises(NameNotResolved, match=r"a\.test"):
            await names.addresses("a.test", 80)
        assert len(resolver.asked) == asked


async def test_rfc8767_stale_addresses_are_used_for_minutes_while_the_resolver_fails(
    names: Names, resolver: Resolver, now: list[float]
):
    await names.addresses("a.test", 80)
    resolver.answer = TEMPORARY
    now[0] += TTL_S + 299.0
    for asked in (2, 2):
        assert await names.addresses("a.test", 80) == [info("192.0.2.1")]
        assert len(resolver.asked) == asked
    now[0] += 1.0

    with pytest.raises(NameNotResolved):
        await names.addresses("a.test", 80)


async def test_a_resolver_that_knows_better_ends_stale_addresses(names: Names, resolver: Resolver, now: list[float]):
    await names.addresses("a.test", 80)
    now[0] += TTL_S
    resolver.answer = UNKNOWN

    with pytest.raises(NameNotResolved):
        await names.addresses("a.test", 80)


async def test_rfc8767_a_resolver_that_hangs_is_not_waited_for_with_addresses_at_hand(
    names: Names, resolver: Resolver, now: list[float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sluicegate.upstream.names._PATIENCE_S", 0.01)
    await names.addresses("a.test", 80)
    now[0] += TTL_S
    resolver.hold = asyncio.Event()
    assert await names.addresses("a.test", 80) == [info("192.0.2.1")]
    monkeypatch.setattr("sluicegate.upstream.names._PATIENCE_S", None)
    assert await names.addresses("a.test", 80) == [info("192.0.2.1")], "at once, for a second"

    now[0] += 1.0
    resolver.answer = [info("192.0.2.2")]
    resolver.hold.set()
    await eventually(lambda: not names._lookups)
    assert await names.addresses("a.test", 80) == [info("192.0.2.2")]


async def test_names_are_bounded_the_oldest_goes_first(
    names: Names, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sluicegate.upstream.names._MAX_NAMES", 2)
    for host in ("a.test", "b.test", "c.test", "b.test", "a.test"):
        await names.addresses(host, 80)

    assert [host for host, _ in resolver.asked] == ["a.test", "b.test", "c.test", "a.test"]


async def test_a_name_without_addresses_is_an_error(names: Names, resolver: Resolver):
    resolver.answer = []
    with pytest.raises(NameNotResolved, match="no address"):
        await names.addresses("a.test", 80)


async def test_the_system_knows_names_that_no_dns_server_does():
    found = await system_resolve("localhost", 8080)

    assert {info[4][:2] for info in found} & {("127.0.0.1", 8080), ("::1", 8080)}
