"""What the supervisor and a worker say to each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import Metric

from sluicegate.config.load import Loaded


@dataclass(frozen=True, slots=True)
class Configure:
    """To a worker: this configuration, the first one or another. It never reads the file itself, so all have the same."""

    loaded: Loaded


@dataclass(frozen=True, slots=True)
class AskReport:
    """To a worker: answer with a `Report`."""


@dataclass(frozen=True, slots=True)
class Drain:
    """To a worker: accept nobody any more, finish what is under way, end."""


@dataclass(frozen=True, slots=True)
class EndNow:
    """To a worker: end without waiting for what is under way."""


@dataclass(frozen=True, slots=True)
class Accepting:
    """From a worker: it accepts clients."""


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: it could not start, and ends."""

    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class Configured:
    """From a worker: another configuration is in force, or why not."""

    error: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """From a worker: its status document, its metrics and its gauges. The last one comes unasked, before it ends."""

    status: Mapping[str, Any]
    metrics: Sequence[Metric]
    connections: int
    under_way: int
    last: bool = False


type Order = Configure | AskReport | Drain | EndNow
type Answer = Accepting | Failed | Configured | Report
