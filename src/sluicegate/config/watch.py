"""Notices that a configuration file has changed, and loads it again."""

from collections.abc import Callable
from pathlib import Path

from sluicegate.clock import Clock
from sluicegate.config.load import Loaded
from sluicegate.errors import ConfigError

type Print = tuple[int, int, int] | None
"""What tells one state of a file from another: time of change (ns), size, inode; None where there is no file."""

INTERVAL_S = 0.5


class ConfigWatcher:
    """Looks at the files twice a second and reloads when they have changed and come to rest.

    At rest means the same at two looks: a file caught half written, or emptied and not yet written, might be valid.

    `load` reads the configuration anew; `apply` gets what it returns, or the ConfigError it raises, in which case the
    old configuration stays. Defaults in place of a bad file are for the start alone: later, what last worked is better, so
    they count as the error that they stand in for. Files that are deleted are waited for: editors and deployments replace a file in two
    steps. Polling sees every kind of change on every file system, symlink swaps included; notifications do not.
    """

    def __init__(
        self,
        files: tuple[Path, ...],
        load: Callable[[], Loaded],
        apply: Callable[[Loaded | ConfigError], None],
        clock: Clock,
    ) -> None:
        self._files = files
        self._load = load
        self._apply = apply
        self._clock = clock
        self._loaded = self._last = self._look()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._clock.sleep(INTERVAL_S)
            self.poll()

    def poll(self) -> None:
        """Look now; reload if the files are not what was loaded, are all there, and are as they were at the last look."""
        found = self._look()
        at_rest, self._last = found == self._last, found
        if at_rest and found != self._loaded and None not in found:
            self.reload()

    def reload(self) -> None:
        """Load now, changed or not, as SIGHUP asks."""
        self._loaded = self._last = self._look()
        try:
            loaded = self._load()
        except ConfigError as error:
            self._apply(error)
            return
        self._apply(ConfigError(list(loaded.fallback)) if loaded.fallback else loaded)

    def _look(self) -> list[Print]:
        return [_print(path) for path in self._files]


def _print(path: Path) -> Print:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
