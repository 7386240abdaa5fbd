import asyncio

import pytest

from sluicegate.clock import ManualClock
from sluicegate.config.load import Loaded, load_settings, load_with_fallback
from sluicegate.config.watch import INTERVAL_S, ConfigWatcher
from sluicegate.errors import ConfigError
from sluicegate.tasks import spawn


@pytest.fixture
async def watched(tmp_path):
    file = tmp_path / "sluicegate.yaml"
    file.write_text("header_limit: 1KiB\n")
    clock = ManualClock()
    applied = []
    watcher = ConfigWatcher((file,), lambda: load_settings(file), applied.append, clock)
    task = spawn(watcher.run(), name="watcher")
    await clock.settle()
    yield file, clock, applied, watcher
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def look(clock, times=2):
    for _ in range(times):
        await clock.advance(INTERVAL_S)


async def test_a_changed_file_is_loaded_once(watched):
    file, clock, applied, _ = watched

    file.write_text("header_limit: 20KiB\n")
    await look(clock, 5)

    assert [loaded.settings.header_limit for loaded in applied] == [20 * 1024]


async def test_an_unchanged_file_is_left_alone(watched):
    _, clock, applied, _ = watched

    await look(clock, 5)

    assert applied == []


async def test_a_file_that_was_emptied_and_is_still_being_written_does_not_count(watched):
    file, clock, applied, _ = watched

    file.write_text("")
    await look(clock, 1)
    file.write_text("header_limit: 3KiB\n")
    await look(clock, 1)
    assert applied == []
    await look(clock, 1)

    assert [loaded.settings.header_limit for loaded in applied] == [3 * 1024]


async def test_a_file_that_is_replaced_by_renaming_is_noticed(watched):
    file, clock, applied, _ = watched

    other = file.with_suffix(".new")
    other.write_text("header_limit: 2KiB\n")
    other.replace(file)
    await look(clock)

    assert [loaded.settings.header_limit for loaded in applied] == [2048]


async def test_a_file_that_is_deleted_is_waited_for(watched):
    file, clock, applied, _ = watched

    file.unlink()
    await look(clock, 4)
    assert applied == []
    file.write_text("header_limit: 4KiB\n")
    await look(clock)

    assert [loaded.settings.header_limit for loaded in applied] == [4096]


async def test_a_bad_file_is_told_and_the_next_good_one_counts(watched):
    file, clock, applied, _ = watched

    file.write_text("header_limit: much\n")
    await look(clock, 4)
    file.write_text("header_limit: 5KiB\n")
    await look(clock)

    bad, good = applied
    assert isinstance(bad, ConfigError)
    assert isinstance(good, Loaded)


async def test_defaults_never_replace_a_configuration_that_works(tmp_path):
    file = tmp_path / "sluicegate.yaml"
    file.write_text("header_limit: much\n")
    applied = []

    ConfigWatcher((file,), lambda: load_with_fallback(file), applied.append, ManualClock()).reload()

    (error,) = applied
    assert isinstance(error, ConfigError)
    assert [problem.key for problem in error.problems] == ["header_limit"]


async def test_a_reload_can_be_asked_for(watched):
    _, clock, applied, watcher = watched

    watcher.reload()
    await look(clock, 3)

    assert len(applied) == 1
