import os
import subprocess
import sys

import pytest

from sluicegate.files import write_atomically


def test_the_file_has_the_content_and_the_mode_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "a", b"content", mode=0o644)
    finally:
        os.umask(before)

    assert (tmp_path / "a").read_bytes() == b"content"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_a_reader_that_has_the_old_file_open_keeps_all_of_it(tmp_path):
    path = tmp_path / "a"
    write_atomically(path, b"old" * 100_000, mode=0o644)

    with path.open("rb") as reader:
        write_atomically(path, b"new", mode=0o644)
        assert reader.read() == b"old" * 100_000

    assert path.read_bytes() == b"new"


def test_a_file_that_is_already_right_is_not_written_again(tmp_path):
    path = tmp_path / "a"
    write_atomically(path, b"same", mode=0o644)
    inode = path.stat().st_ino

    write_atomically(path, b"same", mode=0o644)
    assert path.stat().st_ino == inode

    write_atomically(path, b"same", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken").mkdir()

    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", b"content", mode=0o644)

    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


_ENTER_AND_LEAVE = """
import sys
from pathlib import Path
from sluicegate.files import locked

sys.stdin.read()
for _ in range(200):
    with locked(Path(sys.argv[1])), open(sys.argv[2], "a", buffering=1) as log:
        print("in", file=log)
        print("out", file=log)
"""


def test_only_one_process_at_a_time_holds_the_lock(tmp_path):
    command = [sys.executable, "-c", _ENTER_AND_LEAVE, tmp_path / "lock", tmp_path / "log"]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        process.stdin.close()

    assert [process.wait() for process in processes] == [0, 0]
    assert (tmp_path / "log").read_text().split() == ["in", "out"] * 400
