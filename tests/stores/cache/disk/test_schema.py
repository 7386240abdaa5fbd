import sqlite3

import pytest

from sluicegate.stores.cache.disk.faults import Damaged, TooNew
from sluicegate.stores.cache.disk.schema import MIGRATIONS, Migration, migrate

LATER = (
    *MIGRATIONS,
    Migration("remember colours", "ALTER TABLE entry ADD COLUMN colour TEXT; UPDATE total SET entries = entries + 1"),
)


@pytest.fixture
def db():
    return sqlite3.connect(":memory:", isolation_level=None)


def names(db):
    return [name for (name,) in db.execute("SELECT name FROM migration ORDER BY rowid")]


def test_a_new_database_gets_the_tables_of_today_and_an_identity(db):
    migrate(db, now=5.0)
    migrate(db, now=6.0)

    assert names(db) == [migration.name for migration in MIGRATIONS]
    assert db.execute("SELECT entries, bytes FROM total").fetchall() == [(0, 0)]
    assert len(db.execute("SELECT generation FROM identity").fetchall()) == 1


def test_an_older_database_is_brought_up_to_date_and_keeps_what_it_has(db):
    migrate(db, now=5.0)
    db.execute("INSERT INTO body VALUES (1, 'kept')")
    identity = db.execute("SELECT * FROM identity").fetchall()

    migrate(db, now=7.0, migrations=LATER)

    assert names(db)[-1] == "remember colours"
    assert db.execute("SELECT at FROM migration").fetchall()[-1] == (7.0,)
    assert db.execute("SELECT data FROM body").fetchall() == [("kept",)]
    assert db.execute("SELECT entries FROM total").fetchone() == (1,)
    assert db.execute("SELECT * FROM identity").fetchall() == identity
    assert db.execute("PRAGMA user_version").fetchone() == (len(LATER),)


def test_a_migration_that_fails_leaves_everything_as_it_was(db):
    migrate(db, now=5.0)
    broken = (*LATER, Migration("broken", "DROP TABLE entry; SELECT nonsense"))

    with pytest.raises(sqlite3.Error):
        migrate(db, now=7.0, migrations=broken)

    assert names(db) == [migration.name for migration in MIGRATIONS]
    assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert db.execute("SELECT count(*) FROM entry").fetchone() == (0,)


def test_a_newer_database_is_left_alone(db):
    migrate(db, now=5.0, migrations=LATER)

    with pytest.raises(TooNew, match=f"version {len(LATER)}"):
        migrate(db, now=6.0)

    assert names(db)[-1] == "remember colours"


def test_another_programs_database_is_not_touched(db):
    db.execute("CREATE TABLE theirs (x)")

    with pytest.raises(Damaged, match="another program"):
        migrate(db, now=5.0)

    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_what_was_stored_before_there_were_digests_is_kept_without_one(db):
    migrate(db, now=5.0, migrations=MIGRATIONS[:1])
    db.execute("INSERT INTO entry VALUES (1, x'61', 2, 3, x'62', 4.0, 5.0, 6, 7, 0, 8, 9)")

    migrate(db, now=6.0)

    assert db.execute("SELECT id, key, used, digest FROM entry").fetchall() == [(1, b"a", 9, None)]
