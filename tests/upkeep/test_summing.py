import pytest

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.upkeep.summing import Figures, Use, media_type, use_of
from support.stored import Kept

OPTIONS = CacheOptions()
NOW = 1_000_000.0


def use(headers: str, age_s: float) -> Use:
    return use_of(Kept("http://a.example/", headers=headers, age_s=age_s).listed(NOW), lambda _request: OPTIONS, NOW)


@pytest.mark.parametrize(
    ("headers", "age_s", "what"),
    [
        ("cache-control: max-age=60", 59, Use.FRESH),
        ("cache-control: max-age=60", 60, Use.STALE),
        ("cache-control: max-age=60\netag: x", 60, Use.REVALIDATES),
        ("cache-control: max-age=60\nlast-modified: Thu, 01 Jan 1970 00:00:00 GMT", 60, Use.REVALIDATES),
        ("cache-control: max-age=60, no-cache\netag: x", 1, Use.REVALIDATES),
    ],
)
def test_what_a_response_is_good_for(headers, age_s, what):
    assert use(headers, age_s) is what


def test_the_sums():
    figures = Figures()
    figures.add(Kept("http://a.example/1", age_s=5).listed(NOW, size=10), Use.FRESH)
    figures.add(Kept("http://a.example/2", status=404).listed(NOW, size=20, digest=None), Use.STALE)
    figures.add(Kept("http://b.example/", body=b"").listed(NOW, size=70), Use.FRESH)

    assert (figures.total.entries, figures.total.bytes, figures.body_bytes) == (3, 100, 8)
    assert [(host, share.entries) for host, share in figures.largest_hosts(5)] == [("b.example", 1), ("a.example", 2)]
    assert [host for host, _ in figures.largest_hosts(1)] == ["b.example"]
    assert {status: share.bytes for status, share in figures.by_status.items()} == {200: 80, 404: 20}
    assert {kind: share.entries for kind, share in figures.by_use.items()} == {
        Use.FRESH: 2,
        Use.REVALIDATES: 0,
        Use.STALE: 1,
    }
    assert figures.undigested == 1
    assert (figures.oldest, figures.newest) == (NOW - 5, NOW)


@pytest.mark.parametrize(
    ("headers", "said"),
    [("Content-Type: Text/HTML; charset=x", "text/html"), ("", "-"), ("content-type: ", "-")],
)
def test_the_media_type_is_told_without_parameters(headers, said):
    assert media_type(Kept("http://a.example/", headers=headers).listed()) == said
