import sys

import pytest
from click.testing import CliRunner

from sluicegate.cli.cache.group import COMMANDS
from sluicegate.cli.main import group


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_table_is_there_and_tells_what_it_does(name):
    result = CliRunner().invoke(group, ["cache", name, "--help"])

    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: sluicegate cache {name} ".replace("sluicegate", "group"))


def test_help_lists_all_commands_and_imports_none(monkeypatch):
    for name in COMMANDS:
        monkeypatch.delitem(sys.modules, f"sluicegate.cli.cache_{name}", raising=False)

    result = CliRunner().invoke(group, ["cache", "--help"])

    assert all(f"  {name} " in result.output for name in COMMANDS)
    assert not any(f"sluicegate.cli.cache_{name}" in sys.modules for name in COMMANDS)
