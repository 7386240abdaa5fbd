import pytest

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis.budget import Budget
from sluicegate.stores.cache.redis.keys import TOTAL, USES, EntryId


@pytest.fixture
def removed() -> list[str]:
    return []


@pytest.fixture
def make_budget(link, removed):
    async def remove(entry_ids) -> None:
        removed.extend(entry_ids)

    return lambda max_size: Budget(link, max_size=max_size, remove=remove)


def of_size(name: str, size: int) -> EntryId:
    return EntryId("tag", name, 0, size)


async def test_room_is_made_by_removing_the_least_recently_used(make_budget, removed):
    budget = make_budget(1000)
    entries = [of_size(name, 300) for name in "abc"]
    for entry_id in entries:
        assert await budget.claim(None, entry_id)
    budget.use(str(entries[0]))

    assert await budget.claim(None, of_size("d", 300))

    assert removed == [str(entries[1])]
    assert (budget.count, budget.total) == (3, 900)


async def test_a_write_that_grows_does_not_make_room_by_its_own_removal(make_budget, removed):
    budget = make_budget(1000)
    first = of_size("a", 600)
    assert await budget.claim(None, first)

    assert not await budget.claim(first, of_size("a", 1001))
    assert await budget.claim(first, of_size("a", 1000))
    assert not await budget.claim(None, of_size("b", 1001))

    assert removed == []
    assert budget.total == 1000


async def test_a_write_that_was_evicted_is_told(make_budget, removed):
    budget = make_budget(1000)
    first, second = of_size("a", 600), of_size("b", 600)
    await budget.claim(None, first)
    await budget.claim(None, second)

    assert removed == [str(first)]
    assert not await budget.claim(first, of_size("a", 700))


async def test_a_smaller_bound_evicts_as_many_as_need_be(make_budget, removed):
    budget = make_budget(100_000)
    for number in range(250):
        await budget.claim(None, of_size(f"{number:03}", 100))

    await budget.fit(1000)

    assert len(removed) == 240
    assert (budget.count, budget.total) == (10, 1000)


async def test_two_budgets_on_one_redis_are_one(make_budget):
    one, other = make_budget(1000), make_budget(1000)
    await one.claim(None, of_size("a", 600))
    await other.claim(None, of_size("b", 600))

    await one.measure()

    assert (one.count, one.total) == (other.count, other.total) == (1, 600)


async def test_it_is_told_when_redis_was_emptied(make_budget, server):
    budget = make_budget(1000)
    assert await budget.measure()
    assert await budget.measure()

    server.cli("flushall")

    assert not await budget.measure()
    assert await budget.measure()


async def test_uses_are_told_with_the_next_command(make_budget, server):
    budget = make_budget(1000)
    entries = [of_size(name, 100) for name in "abc"]
    for entry_id in entries:
        await budget.claim(None, entry_id)
    for entry_id in (entries[0], entries[1], entries[0]):
        budget.use(str(entry_id))

    await budget.measure()

    assert server.cli("zrange", USES, "0", "-1").split() == [str(entries[number]) for number in (2, 1, 0)]
    assert server.cli("get", TOTAL) == "300"


async def test_nothing_is_claimed_while_redis_is_away(make_budget, link):
    budget = make_budget(1000)
    await link.aclose()

    with pytest.raises(CacheStoreError):
        await budget.claim(None, of_size("a", 1))
