import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios

import pytest

from sluicegate.cli.foreground import Interrupted, ending_signals_raise, explain_start_failure, run_in_foreground

_RUN = """
import os, sys
from sluicegate.cli.foreground import run_in_foreground
sys.exit(run_in_foreground(sys.argv[1:], os.environ))
"""

_TELL_SIGNALS = """
import signal
watched = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
signal.pthread_sigmask(signal.SIG_BLOCK, watched)
print("ready", flush=True)
got = 0
while got != signal.SIGUSR2:
    got = signal.sigwait(watched)
    print(got.name, flush=True)
"""


@contextlib.contextmanager
def _running(*command, **options):
    process = subprocess.Popen([sys.executable, "-c", _RUN, *command], stdout=subprocess.PIPE, text=True, **options)
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("code", [0, 1, 2, 42, 255])
def test_the_exit_code_comes_through(code):
    assert run_in_foreground(["sh", "-c", f"exit {code}"], os.environ) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_an_end_by_a_signal_is_told_as_shells_do(number):
    assert run_in_foreground(["sh", "-c", f"kill -{int(number)} $$"], os.environ) == 128 + number


def test_the_command_gets_the_environment_and_no_other(capfd):
    run_in_foreground(["sh", "-c", 'echo "$A-$HOME-"'], {"A": "b", "PATH": os.environ["PATH"]})

    assert capfd.readouterr().out == "b--\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_to_us_alone_is_passed_on_once(number):
    with _running(sys.executable, "-c", _TELL_SIGNALS) as process:
        assert process.stdout.readline() == "ready\n"

        process.send_signal(number)
        assert process.stdout.readline() == f"{number.name}\n"

        process.send_signal(signal.SIGUSR2)
        assert process.stdout.read() == "SIGUSR2\n"
        assert process.wait() == 0


@contextlib.contextmanager
def _running_on_a_terminal(script):
    terminal, theirs = pty.openpty()
    command = (sys.executable, "-c", script)
    try:
        with _running(*command, stdin=theirs, start_new_session=True, preexec_fn=_take_terminal) as process:
            os.close(theirs)
            yield process, terminal
    finally:
        os.close(terminal)


def test_ctrl_c_reaches_the_command_and_we_wait_for_it():
    with _running_on_a_terminal(_TELL_SIGNALS) as (process, terminal):
        assert process.stdout.readline() == "ready\n"

        os.write(terminal, b"\x03")
        assert process.stdout.readline() == "SIGINT\n"

        process.send_signal(signal.SIGUSR2)
        assert process.stdout.read() == "SIGUSR2\n"
        assert process.wait() == 0


def test_ctrl_c_is_not_passed_on_a_second_time():
    # Two equal signals melt into one; a command that the terminal does not reach shows what we pass on.
    with _running_on_a_terminal(f"import os\nos.setpgid(0, 0)\n{_TELL_SIGNALS}") as (process, terminal):
        assert process.stdout.readline() == "ready\n"

        os.write(terminal, b"\x03")
        _wait_until_taken(terminal)
        process.send_signal(signal.SIGUSR2)

        assert process.stdout.read() == "SIGUSR2\n"


def _wait_until_taken(terminal):
    """The terminal echoes ^C when it has sent the signal."""
    echoed = b""
    while b"^C" not in echoed:
        echoed += os.read(terminal, 100)


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_what_is_ignored_stays_ignored_for_the_command():
    with _running(
        sys.executable,
        "-c",
        "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as process:
        assert process.stdout.read() == "True\n"


def test_the_command_starts_with_no_signal_blocked_and_sigpipe_as_it_should_be():
    script = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    with _running(sys.executable, "-c", script) as process:
        assert process.stdout.read() == "set()\n"
    with _running("bash", "-c", "yes | head -n 1; echo ${PIPESTATUS[0]}") as process:
        assert process.stdout.read() == f"y\n{128 + signal.SIGPIPE}\n"


def test_exit_codes_are_known_even_where_children_are_reaped_unasked():
    with _running("sh", "-c", "exit 7", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)) as process:
        assert process.wait() == 7


def test_afterwards_signals_are_as_before():
    before = [signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getsignal(signal.SIGCHLD)]

    run_in_foreground(["true"], os.environ)
    with pytest.raises(FileNotFoundError):
        run_in_foreground(["no-such-command"], os.environ)

    assert [signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getsignal(signal.SIGCHLD)] == before


def test_a_command_that_is_not_there_is_127():
    with pytest.raises(OSError, match="No such file") as caught:
        run_in_foreground(["no-such-command"], os.environ)

    assert explain_start_failure(["no-such-command"], caught.value) == ("no-such-command: command not found", 127)


@pytest.mark.parametrize(
    ("mode", "content", "reason"), [(0o644, "x", "Permission denied"), (0o755, "x", "Exec format error")]
)
def test_a_file_that_cannot_be_executed_is_126(tmp_path, mode, content, reason):
    path = tmp_path / "script"
    path.write_text(content)
    path.chmod(mode)

    with pytest.raises(OSError, match=reason) as caught:
        run_in_foreground([str(path)], os.environ)

    assert explain_start_failure([str(path)], caught.value) == (f"{path}: cannot be executed: {reason}", 126)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_ending_signal_interrupts_and_gives_the_exit_code(number):
    before = signal.getsignal(number)

    with pytest.raises(Interrupted) as caught, ending_signals_raise():
        signal.raise_signal(number)

    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before
