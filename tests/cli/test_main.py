import importlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from sluicegate.cli.main import COMMANDS, group


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_table_exists(name):
    assert isinstance(importlib.import_module(f"sluicegate.cli.{name}").command, click.Command)


def test_help_lists_every_command_and_imports_none_of_them():
    code = (
        "import sys\nfrom sluicegate.cli import main\nsys.argv = ['sluicegate', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
    for heavy in ("mitmproxy", "pydantic", "rich", "yaml", "asyncio"):
        assert f"'{heavy}'" not in done.stderr


def test_version():
    result = CliRunner().invoke(group, ["--version"])

    assert result.exit_code == 0
    assert result.output.startswith("sluicegate 0.")


def test_an_unknown_command_is_a_usage_error():
    assert CliRunner().invoke(group, ["fly"]).exit_code == 2


def test_a_bad_configuration_is_exit_code_2_with_every_problem_and_no_traceback(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("cache: {mode: of}\nlisten: 5\n")

    result = CliRunner().invoke(group, ["check", "--config", str(file)])

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "Error: 2 problems in the configuration:",
        f'  {file}:1: cache.mode: is not one of the choices (found "of"); allowed: shared | private | off',
        f"  {file}:2: listen: must be text (found 5); allowed: host:port, such as 127.0.0.1:3128 or [::1]:3128",
    ]


def test_ctrl_c_ends_a_command_with_130_and_without_a_word(monkeypatch):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("sluicegate.cli.check.collect", interrupted)

    result = CliRunner().invoke(group, ["check"])

    assert (result.exit_code, result.output) == (130, "")
