import pytest

from sluicegate.core.caching.keys import cache_key
from sluicegate.errors import NotAUrl
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.upkeep.selection import Selection, select, tags_of
from support.messages import request, response
from support.stored import Kept, put

NOW = 1_000_000.0
A = Kept("http://a.example/x/1", headers="Cache-Tag: news, front\nSurrogate-Key: s1 s2", age_s=100)
B = Kept("https://sub.a.example:8443/x/2?q=1", headers="Cache-Tag: sport", age_s=10)
C = Kept("http://aa.example/x/1", age_s=1000)


async def chosen(selection: Selection) -> set[str]:
    store = MemoryCacheStore()
    await put(store, A, B, C, now=NOW)
    return {listed.entry.request.url async for listed in select(store, selection, NOW)}


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(), {A, B, C}),
        (Selection(url="http://a.example/x/1"), {A}),
        (Selection(url="HTTP://A.example:80/x/./1#top"), {A}),
        (Selection(url="http://a.example/x/"), set()),
        (Selection(prefix="http://a.example/x/"), {A}),
        (Selection(prefix="http://a.example"), {A}),
        (Selection(prefix="https://sub.a.example:8443/x/2?q"), {B}),
        (Selection(host="a.example"), {A}),
        (Selection(host="A.Example."), {A}),
        (Selection(host="*.a.example"), {B}),
        (Selection(host="*.example"), {A, B, C}),
        (Selection(tag="news"), {A}),
        (Selection(tag="s2"), {A}),
        (Selection(tag="ne"), set()),
        (Selection(older_than_s=50), {A, C}),
        (Selection(newer_than_s=100), {A, B}),
        (Selection(older_than_s=50, newer_than_s=500), {A}),
        (Selection(older_than_s=50, host="aa.example"), {C}),
        (Selection(tag="news", host="aa.example"), set()),
    ],
)
async def test_all_conditions_must_hold(selection, meant):
    assert await chosen(selection) == {kept.url for kept in meant}


@pytest.mark.parametrize("url", ["a.example/x", "ftp://a.example/", "http://", "http://a.example/a b", "https://[::1/"])
async def test_what_is_no_url_is_refused(url):
    for selection in (Selection(url=url), Selection(prefix=url)):
        with pytest.raises(NotAUrl):
            await chosen(selection)


def test_without_a_condition_it_is_everything():
    assert Selection().is_everything
    assert not Selection(tag="").is_everything
    assert Selection(tag="t").of_url("http://a/") == Selection(url="http://a/", tag="t")


def test_tags_are_separated_by_commas_and_spaces():
    assert tags_of(response("cache-tag: a,b , c\nSurrogate-Key: d  e\nCACHE-TAG: f")) == {
        b"a",
        b"b",
        b"c",
        b"d",
        b"e",
        b"f",
    }
    assert tags_of(response("x: y")) == set()


@pytest.mark.parametrize("url", ["http://a.example/%7euser/%2f?a=%7e", "http://a.example/a//b/../c?x=[1]&y='z'"])
def test_the_key_of_a_url_is_the_one_that_a_response_to_it_is_stored_under(url):
    assert Selection(url=url).key_prefix() == cache_key(request(url))
