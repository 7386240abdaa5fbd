import pytest

from sluicegate.clock import SystemClock
from sluicegate.config.load import load_settings
from sluicegate.errors import StartError
from sluicegate.observe.witness import Witness
from sluicegate.opening import cache_store_beside, open_cache_store, open_permit_store, open_slot_store
from sluicegate.stores.cache.disk.store import DiskCacheStore
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.stores.permits.memory import MemoryPermitStore
from sluicegate.stores.permits.sqlite import SqlitePermitStore
from support.cache_stores import keep


def settings(directory, **environ):
    return load_settings(environ={"SLUICEGATE_STATE_DIR": str(directory), **environ}).settings


@pytest.mark.parametrize(("name", "kind"), [("disk", DiskCacheStore), ("memory", MemoryCacheStore)])
async def test_the_cache_is_kept_where_the_configuration_says(tmp_path, name, kind):
    store = open_cache_store(settings(tmp_path, SLUICEGATE_CACHE__STORE=name), Witness(), SystemClock())
    await store.aclose()

    assert isinstance(store, kind)
    assert (tmp_path / "cache").exists() == (name == "disk")


@pytest.mark.parametrize(("name", "kind"), [("sqlite", SqlitePermitStore), ("memory", MemoryPermitStore)])
async def test_permits_and_slots_are_shared_unless_the_backend_is_memory(tmp_path, name, kind):
    configured = settings(tmp_path, SLUICEGATE_LIMITS__BACKEND=name)
    permits, slots = open_permit_store(configured, SystemClock()), open_slot_store(configured, SystemClock())
    await permits.aclose()
    if slots is not None:
        slots.close()

    assert isinstance(permits, kind)
    assert (slots is not None) == (name == "sqlite")


async def test_a_directory_that_cannot_hold_permits_stops_the_start(tmp_path):
    configured = settings(tmp_path / "file" / "state")
    (tmp_path / "file").write_text("")

    for opened in (open_permit_store, open_slot_store):
        with pytest.raises(StartError) as caught:
            opened(configured, SystemClock())
        assert caught.value.advice


async def test_who_only_looks_after_the_cache_makes_no_room_in_it(tmp_path):
    full = settings(tmp_path, SLUICEGATE_CACHE__MAX_SIZE="1MiB", SLUICEGATE_CACHE__MAX_ENTRY_SIZE="1MiB")
    larger = settings(tmp_path, SLUICEGATE_CACHE__MAX_SIZE="1GiB", SLUICEGATE_CACHE__MAX_ENTRY_SIZE="1GiB")
    others = open_cache_store(larger, Witness(), SystemClock())
    kept = [await keep(others, b"x" * 700_000, key=f"http://a.example/{number}") for number in range(3)]
    await others.aclose()

    async with cache_store_beside(full, Witness(), SystemClock()) as store:
        listed = [one.key async for one in store.listed()]

    assert len(listed) == len(kept)
