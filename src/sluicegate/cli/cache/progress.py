"""How far a command is with the cache: a bar on standard error, on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sluicegate.core.ports import CacheStore


@contextmanager
def counting(store: CacheStore, what: str, console: Console | None = None) -> Iterator[Callable[[], None]]:
    """Give a function that says that one more is done. The end of the bar is all that the store has."""
    shown = Console(stderr=True) if console is None else console
    if not shown.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shown, transient=True) as progress:
        task = progress.add_task(what, total=store.stats()[0] or None)
        yield lambda: progress.advance(task)
