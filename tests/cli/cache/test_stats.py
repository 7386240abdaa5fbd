import pytest

from support.stored import FRESH, STALE, Kept, fill


@pytest.fixture
def filled(cache):
    fill(
        cache.state_dir,
        Kept("http://a.example/1", body=b"x" * 5000, headers=FRESH),
        Kept("http://a.example/2", headers=STALE, status=404, age_s=60),
        Kept("http://b.example/3", headers=STALE + "\nETag: 1", age_s=60),
    )
    return cache


def test_the_sums_as_json(filled):
    document = filled.json("stats", "--top", "1")

    assert (document["entries"], document["hosts"], document["body_bytes"]) == (3, 2, 5008)
    assert {use: share["entries"] for use, share in document["by_use"].items()} == {
        "fresh": 1,
        "revalidates": 1,
        "stale": 1,
    }
    assert {status: share["entries"] for status, share in document["by_status"].items()} == {"200": 2, "404": 1}
    assert list(document["by_host"]) == ["a.example"]
    assert document["by_type"] == {"text/plain": 1, "text/html": 2}
    assert document["bytes"] == sum(share["bytes"] for share in document["by_status"].values())


def test_the_sums_for_people(filled):
    text = filled("stats", "--top", "1").stdout

    assert text.startswith("3 responses, ")
    assert "Host (the largest 1 of 2)" in text
    assert "33.3 %" in text


def test_of_a_selection(filled):
    assert filled.json("stats", "--host", "b.example")["entries"] == 1


def test_of_nothing(cache):
    assert cache("stats").stdout.startswith("0 responses, ")
    assert cache.json("stats")["entries"] == 0
