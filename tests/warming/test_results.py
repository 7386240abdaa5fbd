import json

import pytest

from sluicegate.core.caching.decisions import Reason
from sluicegate.warming.lists import Wanted
from sluicegate.warming.results import Noted, Outcome, Result, Summary, result_of, section_of, sentence_of

URL = Wanted("http://a.example/", "urls.txt:1")


@pytest.mark.parametrize(
    ("noted", "outcome", "why"),
    [
        (Noted(200, "miss", "storable", stored=True), Outcome.STORED, ""),
        (Noted(200, "revalidated", "validated", stored=True), Outcome.CONFIRMED, ""),
        (Noted(200, "hit", "fresh", stored=False), Outcome.FRESH, ""),
        (
            Noted(200, "stale", "stale-unreachable", stored=False),
            Outcome.FAILED,
            "The stored response is stale, but the origin cannot be reached, or closes without an answer.",
        ),
        (Noted(200, "collapsed", "uri-miss", stored=False), Outcome.FRESH, ""),
        (Noted(200, "miss", "no-store", stored=False), Outcome.NOT_CACHEABLE, "no-store"),
        (Noted(404, "miss", "storable", stored=True), Outcome.FAILED, "The origin answered 404 Not Found"),
        (Noted(200, "miss", "storable", stored=True, error="cut"), Outcome.FAILED, "cut"),
    ],
)
def test_what_came_of_a_url(noted, outcome, why):
    assert result_of(URL, noted) == Result(URL, outcome, why)


def test_a_summary_counts_and_groups():
    summary = Summary(total=4)
    for result in (
        Result(URL, Outcome.STORED, body_bytes=7),
        Result(URL, Outcome.NOT_CACHEABLE, "no-store"),
        Result(URL, Outcome.NOT_CACHEABLE, "no-store"),
    ):
        summary.add(result)
    assert summary.good
    summary.add(Result(URL, Outcome.FAILED, "why"))

    document = json.loads(json.dumps(summary.document()))
    assert not summary.good
    assert (document["tried"], document["stored"], document["not_cacheable"], document["failed"]) == (4, 1, 2, 1)
    assert document["body_bytes"] == 7
    assert document["reasons"][0]["section"] == Reason.NO_STORE.section
    assert len(document["reasons"][0]["urls"]) == 2
    assert document["failures"] == [{"url": URL.url, "place": URL.place, "why": "why"}]


def test_a_line_that_could_not_be_read_is_not_good():
    assert not Summary(problems=["urls.txt:1: ..."]).good


def test_what_only_the_store_refused_has_a_sentence_too():
    assert "store" in sentence_of("")
    assert section_of("") is None
