import contextlib
import sqlite3

import pytest

from sluicegate.stores.cache.disk.faults import Busy, Damaged, Replaced, is_corrupt, is_replaced


def test_a_file_that_is_no_database_is_corrupt(tmp_path):
    path = tmp_path / "x.db"
    path.write_bytes(b"no database " * 1000)
    with contextlib.closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.Error) as caught:
        db.execute("SELECT * FROM sqlite_master")

    assert is_corrupt(caught.value)
    assert not is_replaced(caught.value)


def test_faults_are_what_they_say():
    assert is_corrupt(Damaged("x"))
    assert is_replaced(Replaced("x"))
    for other in (Busy("x"), sqlite3.OperationalError("disk I/O error"), OSError("full")):
        assert not is_corrupt(other)
        assert not is_replaced(other)
