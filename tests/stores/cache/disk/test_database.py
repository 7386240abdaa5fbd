import contextlib
import sqlite3
import subprocess
import sys

import pytest

from sluicegate.stores.cache.disk.database import DATABASE_NAME, connect, make_private, set_aside
from sluicegate.stores.cache.disk.faults import Damaged


def test_files_are_private_and_a_reader_does_not_wait_for_a_writer(tmp_path):
    path = tmp_path / DATABASE_NAME
    with contextlib.closing(connect(path)) as writer, contextlib.closing(connect(path, read_only=True)) as reader:
        writer.execute("CREATE TABLE t (x)")
        writer.execute("INSERT INTO t VALUES (1)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (2)")

        assert reader.execute("SELECT x FROM t").fetchall() == [(1,)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("INSERT INTO t VALUES (3)")
        assert {found.stat().st_mode & 0o777 for found in tmp_path.iterdir()} == {0o600}
        assert len(list(tmp_path.iterdir())) == 3


def test_another_process_that_looks_into_the_database_leaves_the_log_to_those_who_have_it_open(tmp_path):
    path = tmp_path / DATABASE_NAME
    look = (
        "import contextlib, sqlite3, sys\n"
        "with contextlib.closing(sqlite3.connect(sys.argv[1])) as db: print(db.execute('SELECT * FROM t').fetchall())"
    )

    def seen_by_another():
        return subprocess.run([sys.executable, "-c", look, path], check=True, capture_output=True, text=True).stdout

    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(contextlib.closing(connect(path)))
        writer.execute("CREATE TABLE t (x)")
        stack.enter_context(contextlib.closing(connect(path, read_only=True)))
        assert seen_by_another() == "[]\n"
        writer.execute("INSERT INTO t VALUES (1)")

        assert seen_by_another() == "[(1,)]\n"
        assert len(list(tmp_path.iterdir())) == 3


def test_what_is_no_database_is_damaged(tmp_path):
    path = tmp_path / DATABASE_NAME
    path.write_bytes(b"something else " * 1000)

    with pytest.raises(Damaged):
        connect(path)


def test_setting_aside_keeps_one_and_moves_what_belongs_to_it(tmp_path):
    for day in (0, 86400):
        for suffix in ("", "-wal", "-shm"):
            (tmp_path / f"{DATABASE_NAME}{suffix}").write_text(f"{day}")
        name = set_aside(tmp_path, now=day)

    assert name == f"{DATABASE_NAME}.corrupt-19700102T000000Z"
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}-wal", f"{name}-shm"}
    assert (tmp_path / name).read_text() == "86400"


def test_directories_are_made_private_even_if_they_are_there(tmp_path):
    made = tmp_path / "a" / "b"
    make_private(made)
    made.chmod(0o755)

    make_private(made)

    assert made.stat().st_mode & 0o777 == 0o700
