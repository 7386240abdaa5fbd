import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.upkeep.exporting import INDEX_NAME, Tree, Unexported, fetch, path_of, spool
from sluicegate.upkeep.reading import Verdict
from support.messages import response
from support.stored import Kept, listing, put


def export(directory: Path, *kept: Kept) -> list[str]:
    tree = Tree(directory)
    paths = [tree.put(replace_id(one, number), io.BytesIO(one.body)).as_posix() for number, one in enumerate(kept)]
    tree.close()
    return paths


def replace_id(kept: Kept, number: int):
    listed = kept.listed()
    listed.entry.id = str(number)
    return listed


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://a.example/x/y.txt", "a.example/x/y.txt"),
        ("http://a.example/", "a.example/index.html"),
        ("http://a.example/x/", "a.example/x/index.html"),
        ("https://a.example:8443//x///y?q=1&r=/2", "a.example%3A8443/x/y@q=1%26r=%2F2"),
        ("http://index.jsonl/x", "%69ndex.jsonl/x"),
        ("http://a.example/%2e%2e/x", "a.example/%2e%2e/x"),
        ("http://a.example/../../etc/passwd", "a.example/%2E%2E/%2E%2E/etc/passwd"),
    ],
)
def test_a_body_lies_where_its_url_says(url, path):
    assert path_of(Kept(url).listed()).as_posix() == path


@given(st.text(max_size=400))
def test_no_url_leads_outside_or_to_a_name_that_cannot_be(target):
    listed = Kept("http://a.example/").listed()
    listed.entry.request.target = "/" + target.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")

    path = path_of(listed)

    assert not path.is_absolute()
    assert path.parts[0] == "a.example"
    assert not {"", ".", ".."} & set(path.parts)
    assert all(len(part.encode()) <= 255 for part in path.parts)


def test_the_index_has_what_is_known_of_each(tmp_path):
    kept = Kept("http://a.example/x", body=b"hello", asked="accept-encoding: gzip", headers="X: y\nSet-Cookie: z")

    assert export(tmp_path / "new" / "tree", kept) == ["a.example/x"]

    root = tmp_path / "new" / "tree"
    assert (root / "a.example" / "x").read_bytes() == b"hello"
    [line] = (root / INDEX_NAME).read_text().splitlines()
    document = json.loads(line)
    assert document["file"] == "a.example/x"
    assert document["url"] == document["key"] == "http://a.example/x"
    assert (document["status"], document["reason"], document["body_bytes"]) == (200, "OK", 5)
    assert document["fields"] == [["X", "y"], ["Set-Cookie", "z"]]
    assert document["request_fields"] == [["accept-encoding", "gzip"]]
    assert document["digest"] == f"xxh3-128:{bytes(16).hex()}"


def test_nothing_is_lost_where_names_are_in_each_others_way(tmp_path):
    kept = [
        Kept("http://a.example/x", body=b"1"),
        Kept("http://a.example/x/y", body=b"2"),
        Kept("http://a.example/x", body=b"3"),
        Kept("http://a.example/z/y", body=b"4"),
        Kept("http://a.example/z", body=b"5"),
        Kept("https://a.example/z", body=b"6"),
    ]

    paths = export(tmp_path, *kept)

    assert len(set(paths)) == len(kept)
    assert [(tmp_path / path).read_bytes() for path in paths] == [one.body for one in kept]


def test_a_directory_that_has_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("precious")

    with pytest.raises(FileExistsError, match="not empty"):
        Tree(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


async def test_a_body_that_is_not_what_was_stored_is_not_given_away():
    store = MemoryCacheStore()
    await put(store, Kept("http://a.example/", body=b"hello"))
    [listed] = (await listing(store)).values()
    with spool() as body:
        await fetch(store, listed, body)
        assert body.read() == b"hello"
    with spool() as body, pytest.raises(Unexported) as damaged:
        await fetch(store, replace(listed, digest=bytes(16)), body)
    await store.remove(listed.entry.id)
    with spool() as body, pytest.raises(Unexported) as gone:
        await fetch(store, listed, body)

    assert (damaged.value.verdict, gone.value.verdict) == (Verdict.DAMAGED, Verdict.GONE)
    assert str(gone.value)


def test_bytes_beyond_ascii_in_fields_are_kept_in_the_index(tmp_path):
    listed = Kept("http://a.example/x").listed()
    listed.entry.response = replace(response(), fields=[(b"X", b"\xe9\xff")])
    tree = Tree(tmp_path)
    tree.put(listed, io.BytesIO())
    tree.close()

    assert json.loads((tmp_path / INDEX_NAME).read_text())["fields"] == [["X", "\xe9\xff"]]
