import pytest

from support.stored import STALE, Kept, fill

URL = "http://a.example/x"


@pytest.fixture
def filled(cache):
    vary = "Cache-Control: max-age=600\nVary: Accept-Encoding\nContent-Type: text/plain"
    fill(
        cache.state_dir,
        Kept(URL, headers=vary, asked="accept-encoding: gzip", body=b"zipped", age_s=60),
        Kept(URL, headers=vary),
        Kept("http://a.example/other", headers=STALE, age_s=60),
    )
    return cache


def test_each_variant_is_told_with_its_head_and_what_it_is_good_for(filled):
    result = filled("show", URL)

    assert result.exit_code == 0
    first, second = result.stdout.split(f"\n{URL}\n")
    text = " ".join(first.split())
    assert "Variant 1 of 2, id " in text
    assert "Selected by accept-encoding: gzip" in text
    assert "Fresh for " in text
    assert "by max-age (RFC 9111 §5.2.2.1)" in text
    assert "Body 6 bytes, xxh3-128 " in text
    assert "HTTP/1.1 200 OK Cache-Control: max-age=600" in text
    assert "Selected by accept-encoding: (absent)" in " ".join(second.split())


def test_a_stale_one_says_for_how_long(filled):
    text = " ".join(filled("show", "http://a.example/other").stdout.split())

    assert "Fresh no longer, for 59" in text or "Fresh no longer, for 1 min" in text


def test_json_has_the_head_and_the_variant(filled):
    first, second = filled.json("show", URL)

    assert first["request_fields"] == [["accept-encoding", "gzip"]]
    assert first["fields"][0] == ["Cache-Control", "max-age=600"]
    assert first["digest"].startswith("xxh3-128:")
    assert first["variant"]["lifetime"]["seconds"] == 600
    assert first["id"] != second["id"]


def test_exit_code_1_when_there_is_nothing(filled, cache):
    result = filled("show", "http://a.example/nothing")

    assert result.exit_code == 1
    assert "Nothing is stored" in result.output
    assert filled.json("show", "http://a.example/nothing", exit_code=1) == []


def test_what_an_older_version_stored_has_no_digest(filled):
    from support.disk_store import database

    with database(filled.state_dir / "cache") as db:
        db.execute("UPDATE entry SET digest = NULL")

    assert "without a digest" in filled("show", URL).stdout
