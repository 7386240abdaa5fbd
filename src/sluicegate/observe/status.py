"""The document of `/api/status`: what `sluicegate status`, `top` and the dashboard show."""

import os
from dataclasses import asdict, dataclass
from importlib.metadata import version

from sluicegate.observe.state import State
from sluicegate.observe.totals import Totals

_VERSION = version("sluicegate")


@dataclass(frozen=True, slots=True)
class ConfigInfo:
    """Which configuration is in force. `loaded_at` is Unix time in seconds."""

    file: str | None
    checksum: str
    loaded_at: float


def status_document(
    *, listen: str, uptime_s: float, config: ConfigInfo, totals: Totals, state: State, ready: bool = True
) -> dict[str, object]:
    """What runs here and how it does, in plain JSON types; `docs/logs-and-metrics.md` documents each member."""
    return {
        "version": _VERSION,
        "pid": os.getpid(),
        "uptime_s": round(uptime_s, 3),
        "ready": ready,
        "listen": listen,
        "config": asdict(config),
        "totals": totals.as_dict(),
        "limits": [asdict(limit) for limit in state.limits],
        "cache": {"entries": state.cache_entries, "bytes": state.cache_bytes},
        "upstream": {"open": state.connections_open, "idle": state.connections_idle},
        "workers": [],
    }
