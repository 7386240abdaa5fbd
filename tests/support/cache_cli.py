"""`sluicegate cache` run on a state directory of the test's."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from sluicegate.cli.main import group


class CacheCli:
    """Runs commands in this process; `config` is what the configuration file says besides the state directory."""

    def __init__(self, directory: Path) -> None:
        self.state_dir = directory / "state"
        self._file = directory / "sluicegate.yaml"
        self.configure({})

    def configure(self, config: Mapping[str, Any]) -> None:
        self._file.write_text(yaml.safe_dump({"state_dir": str(self.state_dir), **config}))

    def __call__(self, command: str, *arguments: str, stdin: str | None = None, color: bool = False) -> Result:
        words = ["cache", command, "--config", str(self._file), *arguments]
        return CliRunner().invoke(group, words, input=stdin, color=color)

    def json(self, command: str, *arguments: str, exit_code: int = 0) -> Any:
        """What `--json` prints."""
        result = self(command, "--json", *arguments)
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    def urls(self, *arguments: str) -> set[str]:
        """What `ls` lists."""
        result = self("ls", "--json", *arguments)
        assert result.exit_code == 0, result.output
        return {json.loads(line)["url"] for line in result.stdout.splitlines()}
