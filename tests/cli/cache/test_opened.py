import click
import pytest

from sluicegate.cli.cache.opened import INTERRUPTED_EXIT, chosen, opened, run_command
from sluicegate.config.models import Settings
from sluicegate.stores.cache.disk.database import DATABASE_NAME
from sluicegate.upkeep.selection import Selection
from support.stored import Kept, fill


def settings(state_dir, **cache) -> Settings:
    return Settings.model_validate({"state_dir": str(state_dir), "cache": cache})


async def keys(state_dir) -> list[str]:
    async with opened(settings(state_dir)) as store:
        wanted = [Selection(host="a.example"), Selection(host="b.example")]
        return [listed.key async for listed in chosen(store, wanted, 0.0)]


def test_each_selection_is_read_in_turn(tmp_path):
    fill(tmp_path, Kept("http://b.example/"), Kept("http://a.example/"), Kept("http://c.example/"))

    assert run_command(click.Context(click.Command("x")), keys(tmp_path)) == ["http://a.example/", "http://b.example/"]


async def test_what_is_not_there_is_empty_and_not_made_and_told(tmp_path, capsys):
    assert await keys(tmp_path / "nothing") == []
    assert not (tmp_path / "nothing").exists()
    assert f"nothing was ever stored in {tmp_path / 'nothing' / 'cache'}" in capsys.readouterr().err


async def test_a_store_in_the_memory_of_another_process_cannot_be_opened(tmp_path):
    with pytest.raises(click.UsageError, match="only the running proxy has what is stored"):
        async with opened(settings(tmp_path, store="memory")):
            pass


async def test_what_goes_wrong_is_told_on_standard_error(tmp_path, capsys):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / DATABASE_NAME).write_bytes(b"no database" * 1000)

    assert await keys(tmp_path) == []
    assert "was set aside" in capsys.readouterr().err


def test_ctrl_c_ends_the_command_with_130():
    async def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(click.exceptions.Exit) as ended:
        run_command(click.Context(click.Command("x")), interrupted())

    assert ended.value.exit_code == INTERRUPTED_EXIT
