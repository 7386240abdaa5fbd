import pytest

from support.cache_stores import MIB
from support.disk_store import body_files
from support.stored import Kept, fill

GOOD, BAD = "http://a.example/good", "http://a.example/bad"


@pytest.fixture
def damaged(cache):
    fill(cache.state_dir, Kept(GOOD), Kept(BAD, body=b"x" * MIB))
    [file] = body_files(cache.state_dir / "cache")
    with file.open("r+b") as opened:
        opened.write(b"y")
    return cache


def test_what_is_sound_is_counted(cache):
    fill(cache.state_dir, Kept(GOOD), Kept(BAD))

    result = cache("verify")

    assert (result.exit_code, result.stdout) == (0, "2 checked: 2 sound.\n")


def test_what_is_damaged_is_named_and_left(damaged):
    result = damaged("verify")

    assert result.exit_code == 1
    assert f"damaged: {BAD}: the body is not the one that was stored" in result.stdout
    assert "1 sound, 1 damaged (remove them with --repair)" in result.stdout
    assert damaged.urls() == {GOOD, BAD}


def test_repair_removes_it(damaged):
    result = damaged("verify", "--repair")

    assert result.exit_code == 1
    assert "1 damaged (removed)" in result.stdout
    assert damaged.urls() == {GOOD}
    assert damaged("verify").exit_code == 0


def test_json(damaged):
    document = damaged.json("verify", exit_code=1)

    assert (document["checked"], document["sound"], document["damaged"], document["removed"]) == (2, 1, 1, False)
    assert [one["url"] for one in document["responses"]] == [BAD]


def test_only_what_is_meant_is_checked(damaged):
    assert damaged("verify", GOOD).stdout == "1 checked: 1 sound.\n"


def test_an_empty_cache_is_sound(cache):
    assert cache("verify").stdout == "0 checked.\n"
    assert not cache.state_dir.exists()
