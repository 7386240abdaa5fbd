"""A command in the foreground: it has the terminal, gets the signals, and its end is our exit code."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

NOT_FOUND = 127
NOT_EXECUTABLE = 126

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FORWARDED = (*_ENDING, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_FROM_THE_KEYBOARD = frozenset({signal.SIGINT, signal.SIGQUIT})
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class Interrupted(BaseException):
    """A signal asked us to end. No Exception, so that nothing swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.exit_code = 128 + number


@contextlib.contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Inside, SIGINT, SIGTERM and SIGHUP raise Interrupted, unless they are ignored (as by nohup)."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_in_foreground(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run `command` in our own process group until it ends, and return its exit code as a shell tells it.

    128+n when signal n ended it. Signals that reach us alone are passed on; those that the terminal sends to the whole
    group are not, as the command has got them itself. Raises OSError when it cannot be started.
    """
    # Blocked signals are fetched one by one with where they came from; a handler would not learn that.
    watched = {number for number in _FORWARDED if signal.getsignal(number) is not signal.SIG_IGN} | {signal.SIGCHLD}
    child_handler = signal.signal(signal.SIGCHLD, lambda *_: None)  # where it is ignored, no exit code can be had
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        pid = os.posix_spawnp(command[0], list(command), environ, setsigmask=mask, setsigdef=_IGNORED_BY_PYTHON)
        return _wait(pid, watched)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGCHLD, child_handler)


def _wait(pid: int, watched: set[signal.Signals]) -> int:
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        number, from_terminal = _next_signal(watched)
        if number != signal.SIGCHLD and not from_terminal:
            os.kill(pid, number)


def _next_signal(watched: set[signal.Signals]) -> tuple[int, bool]:
    """The next signal, and whether the terminal sent it (the kernel's `si_code` is positive, a process's is not)."""
    if sys.platform == "darwin":  # has no sigwaitinfo
        number = signal.sigwait(watched)
        return number, number in _FROM_THE_KEYBOARD and sys.stdin.isatty()
    received = signal.sigwaitinfo(watched)
    return received.si_signo, received.si_code > 0


def explain_start_failure(command: Sequence[str], error: OSError) -> tuple[str, int]:
    """The message and the exit code of a command that could not be started, as shells have them."""
    if isinstance(error, FileNotFoundError):
        return f"{command[0]}: command not found", NOT_FOUND
    return f"{command[0]}: cannot be executed: {error.strerror}", NOT_EXECUTABLE
