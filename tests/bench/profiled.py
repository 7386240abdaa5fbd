"""`sluicegate` under a profiler: `profiled.py FILE ARGUMENT...`. SIGUSR1 starts it, SIGUSR2 writes to FILE what it saw."""

import cProfile
import signal
import sys
from pathlib import Path
from types import FrameType

from sluicegate.cli import main

profiler = cProfile.Profile()


def begin(_number: int, _frame: FrameType | None) -> None:
    """Count from now on."""
    profiler.clear()
    profiler.enable()


def end(_number: int, _frame: FrameType | None) -> None:
    """Count no more; the file is there when it is complete."""
    profiler.disable()
    unfinished = output.with_suffix(".unfinished")
    profiler.dump_stats(unfinished)
    unfinished.replace(output)


if __name__ == "__main__":
    output = Path(sys.argv[1])
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.argv = ["sluicegate", *sys.argv[2:]]
    main()
