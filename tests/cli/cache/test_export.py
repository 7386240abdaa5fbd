import gzip
import json

import pytest

from support.cache_stores import MIB
from support.disk_store import body_files
from support.stored import Kept, fill

SMALL, LARGE = Kept("http://a.example/small", body=b"hello\n"), Kept("http://b.example/large", body=b"x" * MIB)


@pytest.fixture
def filled(cache):
    fill(cache.state_dir, SMALL, LARGE)
    return cache


def test_a_tree_of_bodies_with_an_index(filled, tmp_path):
    out = tmp_path / "out"

    result = filled("export", "--output", str(out))

    assert (result.exit_code, result.stdout) == (0, "2 exported.\n")
    index = [json.loads(line) for line in (out / "index.jsonl").read_text().splitlines()]
    assert {one["url"]: (out / one["file"]).read_bytes() for one in index} == {
        SMALL.url: SMALL.body,
        LARGE.url: LARGE.body,
    }


def test_one_body_on_standard_output_and_nothing_else(filled):
    result = filled("export", SMALL.url, "-o", "-")

    assert (result.exit_code, result.stdout_bytes) == (0, SMALL.body)


def test_several_bodies_do_not_go_to_standard_output(filled):
    result = filled("export", "-o", "-")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "more than one" in result.stderr


def test_a_warc(filled, tmp_path):
    file = tmp_path / "crawl.warc.gz"

    assert filled("export", "--warc", str(file), "--host", "a.example").exit_code == 0

    data = gzip.decompress(file.read_bytes())
    assert data.count(b"WARC/1.1\r\n") == 3
    assert SMALL.body in data


def test_what_is_damaged_is_left_out_and_stays(filled, tmp_path):
    [file] = body_files(filled.state_dir / "cache")
    with file.open("r+b") as opened:
        opened.write(b"y")
    out = tmp_path / "out"

    result = filled("export", "-o", str(out))

    assert (result.exit_code, result.stdout) == (1, "1 exported, 1 left out.\n")
    assert f"left out, damaged: {LARGE.url}" in result.stderr
    assert not (out / "b.example").exists()
    assert filled.urls() == {SMALL.url, LARGE.url}
    assert filled("export", LARGE.url, "-o", "-").stdout_bytes == b""


def test_nothing_is_overwritten(filled, tmp_path):
    (tmp_path / "file").write_text("precious")

    for arguments in (("-o", str(tmp_path)), ("--warc", str(tmp_path / "file"))):
        result = filled("export", *arguments)
        assert result.exit_code == 1
        assert "Could not open file" in result.stderr
        assert ". Name a new " in result.stderr
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("arguments", [(), ("-o", "a", "--warc", "b")])
def test_one_place_has_to_be_named(filled, arguments):
    assert filled("export", *arguments).exit_code == 2


def test_exit_code_1_when_nothing_is_meant(filled, tmp_path):
    assert filled("export", "http://a.example/nothing", "-o", "-").exit_code == 1
    for place in (("-o", str(tmp_path / "out")), ("--warc", str(tmp_path / "out.warc"))):
        assert filled("export", "--tag", "none", *place).exit_code == 1
    assert list(tmp_path.glob("out*")) == []
