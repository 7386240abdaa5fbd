"""How many processes `workers: auto` means."""

import os
from pathlib import Path

from sluicegate.config.models import Settings

MOST = 64

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def worker_count(settings: Settings) -> int:
    """The processes a configuration asks for; 1: no supervisor."""
    if settings.workers != "auto":
        return settings.workers
    if "memory" in (settings.limits.backend, settings.cache.store):
        return 1
    return min(usable_cpus(), MOST)


def usable_cpus(quota_file: Path = _CPU_MAX) -> int:
    """The processors this process may run on, bounded by the quota of its control group (a container's `cpus`)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _quota(quota_file) or allowed))


def _quota(file: Path) -> int | None:
    """Whole processors, rounded up; None without a quota. The file says `MAX PERIOD` in microseconds (cgroup v2)."""
    try:
        most, period = file.read_text().split()
        return None if most == "max" else -(-int(most) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None
