import contextlib
import subprocess
import sys

import pytest

from sluicegate.stores.cache.disk.faults import Busy, Replaced
from sluicegate.stores.cache.disk.lock import FileLock

_HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_one_holds_it_at_a_time_even_within_a_process(tmp_path):
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    with contextlib.closing(one), contextlib.closing(other):
        with one.held():
            assert not other.take()
        assert other.take()


def test_a_lock_of_a_process_that_is_killed_is_free_again(tmp_path):
    path = tmp_path / "lock"
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    with contextlib.closing(FileLock(path)) as lock:
        with pytest.raises(Busy, match="another process"), lock.held(patience_s=0.0):
            pass
        process.kill()
        process.communicate()

        with lock.held():
            pass


def test_a_lock_file_that_was_replaced_is_noticed(tmp_path):
    path = tmp_path / "lock"
    with contextlib.closing(FileLock(path)) as lock:
        assert lock.in_place
        path.unlink()
        assert not lock.in_place
        path.touch()
        assert not lock.in_place
        with pytest.raises(Replaced), lock.held():
            pass


def test_the_file_is_private_and_may_be_closed_twice(tmp_path):
    lock = FileLock(tmp_path / "lock")

    lock.close()
    lock.close()

    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
