import sys
from typing import ClassVar

import click
import pytest
from click.testing import CliRunner

from sluicegate.cli.lazy_group import LazyGroup


class Few(LazyGroup):
    module_prefix = "few_"
    commands_help: ClassVar = {"one": "The first.", "absent": "Of no module."}


@pytest.fixture
def few(tmp_path, monkeypatch):
    (tmp_path / "few_one.py").write_text("import click\n@click.command()\ndef command():\n    click.echo('done')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield click.command(cls=Few)(lambda: None)
    sys.modules.pop("few_one", None)


def test_help_imports_no_command(few):
    result = CliRunner().invoke(few, ["--help"])

    assert "one     The first." in result.output
    assert "few_one" not in sys.modules


def test_a_command_is_imported_when_it_is_used(few):
    assert CliRunner().invoke(few, ["one"]).output == "done\n"


def test_what_is_not_in_the_table_is_no_command(few):
    result = CliRunner().invoke(few, ["two"])

    assert result.exit_code == 2
    assert "No such command" in result.output
