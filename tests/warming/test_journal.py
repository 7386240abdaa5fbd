import os

import pytest

from sluicegate.errors import StartError
from sluicegate.warming.journal import KEPT_S, Journal

JOB = ["warm", "/urls.txt"]


@pytest.fixture
def now(tmp_path):
    return tmp_path.stat().st_mtime


def interrupted(directory, now, *urls):
    with Journal(directory, JOB, now=now) as journal:
        for url in urls:
            journal.note(url)


def test_the_same_command_finds_what_was_done_and_another_does_not(tmp_path, now):
    interrupted(tmp_path, now, "http://a.example/1", "http://a.example/2")

    with Journal(tmp_path, JOB, now=now) as again, Journal(tmp_path, ["refresh", *JOB[1:]], now=now) as other:
        assert again.done == {"http://a.example/1", "http://a.example/2"}
        assert other.done == frozenset()


def test_a_run_that_ends_leaves_nothing_behind(tmp_path, now):
    interrupted(tmp_path, now, "http://a.example/1")
    with Journal(tmp_path, JOB, now=now) as journal:
        journal.finish()
    interrupted(tmp_path, now)

    assert list(tmp_path.iterdir()) == []


def test_a_line_that_a_crash_cut_off_is_not_counted(tmp_path, now):
    interrupted(tmp_path, now, "http://a.example/1")
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b"http://a.exa")

    interrupted(tmp_path, now, "http://a.example/2")
    with Journal(tmp_path, JOB, now=now) as journal:
        assert journal.done == {"http://a.example/1", "http://a.example/2"}


def test_a_run_that_was_interrupted_long_ago_is_forgotten(tmp_path, now):
    interrupted(tmp_path, now, "http://a.example/1")
    (path,) = tmp_path.iterdir()
    os.utime(path, (now - KEPT_S - 1, now - KEPT_S - 1))

    with Journal(tmp_path, JOB, now=now) as journal:
        assert journal.done == frozenset()


def test_a_restart_forgets_too(tmp_path, now):
    interrupted(tmp_path, now, "http://a.example/1")

    with Journal(tmp_path, JOB, now=now, restart=True) as journal:
        assert journal.done == frozenset()


def test_the_same_command_does_not_run_twice_at_once(tmp_path, now):
    with Journal(tmp_path, JOB, now=now), pytest.raises(StartError, match="running already"):
        Journal(tmp_path, JOB, now=now)


def test_only_its_owner_can_read_it(tmp_path, now):
    interrupted(tmp_path / "warm", now, "http://a.example/?token=1")
    (path,) = (tmp_path / "warm").iterdir()

    assert path.stat().st_mode & 0o077 == 0


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path, now):
    (tmp_path / "warm").write_text("")

    with pytest.raises(StartError, match=r"warm.*cannot be written"):
        Journal(tmp_path / "warm", JOB, now=now)
