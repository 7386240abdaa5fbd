import pytest

from sluicegate.cli.cache import purge as cache_purge
from support.disk_store import database
from support.stored import Kept, fill

A, B, C = "http://a.example/1", "http://a.example/2", "http://c.example/3"


@pytest.fixture
def filled(cache):
    fill(cache.state_dir, Kept(A), Kept(B), Kept(C, headers="Cache-Control: max-age=60\nSurrogate-Key: k"))
    return cache


@pytest.mark.parametrize(
    ("arguments", "told", "left"),
    [
        ((A,), "1 stored response removed.", {B, C}),
        ((A, C), "2 stored responses removed.", {B}),
        (("--prefix", "http://a.example/"), "2 stored responses removed.", {C}),
        (("--tag", "k"), "1 stored response removed.", {A, B}),
        (("--older-than", "1d"), "0 stored responses removed.", {A, B, C}),
        (("--all",), "3 stored responses removed.", set()),
    ],
)
def test_just_what_is_meant_goes(filled, arguments, told, left):
    result = filled("purge", *arguments)

    assert (result.exit_code, result.stdout) == (0, told + "\n")
    assert filled.urls() == left


def test_what_the_store_cannot_remove_is_an_error(filled):
    with database(filled.state_dir / "cache") as db:
        db.execute("CREATE TRIGGER full BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")

    result = filled("purge", "--all")

    assert result.exit_code == 2
    assert "could not be removed" in result.stderr
    assert "the disk is full" in result.stderr
    assert filled.urls() == {A, B, C}


@pytest.mark.parametrize("arguments", [(), ("--yes",), ("--all", A), ("--all", "--tag", "k")])
def test_everything_has_to_be_asked_for(filled, arguments):
    assert filled("purge", *arguments).exit_code == 2
    assert filled.urls() == {A, B, C}


@pytest.mark.parametrize(("answer", "left"), [("n\n", {A, B, C}), ("\n", {A, B, C}), ("y\n", set())])
def test_a_terminal_is_asked_first(filled, monkeypatch, answer, left):
    monkeypatch.setattr(cache_purge, "is_terminal", lambda: True)

    result = filled("purge", "--all", stdin=answer)

    assert "Remove everything that is stored?" in result.output
    assert filled.urls() == left


@pytest.mark.parametrize("arguments", [("--all", "--yes"), (A, B, C)])
def test_nobody_is_asked_who_said_yes_or_named_urls(filled, monkeypatch, arguments):
    monkeypatch.setattr(cache_purge, "is_terminal", lambda: True)

    assert filled("purge", *arguments).exit_code == 0
    assert filled.urls() == set()


def test_a_tool_makes_no_room_for_a_smaller_bound(filled):
    fill(filled.state_dir, *(Kept(f"http://b.example/{number}", body=b"x" * 60_000) for number in range(40)))
    filled.configure({"cache": {"max_size": "1MiB"}})

    filled("purge", A)

    assert len(filled.urls()) == 42


def test_where_nothing_was_stored_nothing_is_made(cache):
    assert cache("purge", "--all").stdout == "0 stored responses removed.\n"
    assert not cache.state_dir.exists()
