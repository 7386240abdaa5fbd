"""What a test tells the stand-in for `serve`, and what the stand-in has noted."""

import json
from pathlib import Path
from typing import Any


class Plan:
    """The stand-in's orders, and its notes in the file `notes`."""

    def __init__(self, notes: Path) -> None:
        self.notes = notes

    def variable(self, **orders: Any) -> str:
        """The value of STAND_IN."""
        return json.dumps({"notes": str(self.notes), **orders})

    def lines(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def arguments(self) -> list[str]:
        """The command line it was started with."""
        (line,) = [line for line in self.lines() if line.startswith("arguments ")]
        arguments: list[str] = json.loads(line.removeprefix("arguments "))
        return arguments

    def pid(self) -> int:
        (line,) = [line for line in self.lines() if line.startswith("pid ")]
        return int(line.split()[1])
