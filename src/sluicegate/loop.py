"""How each of our processes runs: its event loop and its signals."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any


def run[T](main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on uvloop where there is one, which doubles what a process can do."""
    try:
        try:
            import uvloop  # noqa: PLC0415 - absent on Windows
        except ImportError:
            return asyncio.run(main)
        result: T = uvloop.run(main)
        return result
    finally:
        main.close()  # a Ctrl-C may come before it has begun, and nobody is to hear that it never did


def handle_signals(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """SIGTERM and SIGINT stop, SIGHUP reloads. Must be called with a running event loop."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
