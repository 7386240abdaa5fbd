import io

from rich.console import Console

from sluicegate.cli.cache.progress import counting
from sluicegate.stores.cache.memory import MemoryCacheStore
from support.stored import Kept, put


async def test_a_terminal_sees_how_far_it_is():
    store = MemoryCacheStore()
    await put(store, Kept("http://a.example/"), Kept("http://b.example/"))
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, _environ={})

    with counting(store, "verifying", screen) as counted:
        counted()
        counted()

    assert "verifying" in screen.file.getvalue()
    assert "2/2" in screen.file.getvalue()


async def test_nobody_else_does():
    screen = Console(file=io.StringIO(), force_terminal=False)

    with counting(MemoryCacheStore(), "verifying", screen) as counted:
        counted()

    assert screen.file.getvalue() == ""
