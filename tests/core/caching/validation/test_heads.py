"""What HEAD tells of stored responses to GET (RFC 9111 §4.3.5)."""

from dataclasses import replace

import pytest

from sluicegate.core.caching.decisions import Forward, Hit, PassOn, Reason
from sluicegate.core.caching.policy import look_up
from sluicegate.core.caching.validation.heads import learned
from sluicegate.core.http import get
from support.cache_policy import FRESH, NOW, OPTIONS, judged, stored
from support.messages import request, response

HEAD = request(method="HEAD")


def told(headers: str, *, before: str = "", status: int = 200, asked=HEAD):
    entry = replace(stored(f"{FRESH}\n{before}"), body_length=10)
    updates, outdated = learned(asked, [entry], response(headers, status=status), OPTIONS, (NOW + 99, NOW + 100))
    return updates, outdated


def test_a_head_request_renews_what_is_stale():
    entry = replace(stored(f"{FRESH}\nFoo: old\nBar: 1"), body_length=10)
    plan = look_up(HEAD, [entry], OPTIONS, NOW + 100)
    assert isinstance(plan, Forward)

    outcome = judged(plan, response(f"{FRESH}\nFoo: new\nContent-Length: 10"), at=NOW + 100)

    assert isinstance(outcome, PassOn)
    assert (outcome.reason, outcome.remove) == (Reason.METHOD, [])
    found = look_up(request(), outcome.updates, OPTIONS, NOW + 150)
    assert isinstance(found, Hit)
    assert (get(found.head.fields, b"foo"), get(found.head.fields, b"bar")) == (b"new", b"1")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ('ETag: "a"', 'ETag: "b"'),
        ("", 'ETag: "b"'),
        ('ETag: "a"', "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"),
        ("", "Content-Length: 11"),
    ],
)
def test_another_version_or_length_outdates_what_is_stored(before, now):
    assert told(f"{FRESH}\n{now}", before=before) == ([], ["1"])


@pytest.mark.parametrize("now", ['ETag: "a"', "Content-Length: 10", "", 'ETag: "a"\nContent-Length: 10'])
def test_the_same_version_renews_it(now):
    updates, outdated = told(f"{FRESH}\n{now}", before='ETag: "a"')

    assert ([update.id for update in updates], outdated) == (["1"], [])
    assert (updates[0].request_time, updates[0].response_time) == (NOW + 99, NOW + 100)


@pytest.mark.parametrize("status", [204, 404, 410, 500])
def test_only_a_200_tells_something(status):
    assert told(f'{FRESH}\nETag: "b"', before='ETag: "a"', status=status) == ([], [])


@pytest.mark.parametrize("headers", ["Cache-Control: no-store", "Cache-Control: private, max-age=60"])
def test_what_may_not_be_stored_changes_nothing(headers):
    assert told(headers) == ([], [])


def test_an_authorized_answer_changes_nothing_for_others():
    asked = request(method="HEAD", headers="Authorization: Basic x")

    assert told(FRESH, asked=asked) == ([], [])


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_other_methods_tell_nothing(method):
    assert told(FRESH, asked=request(method=method)) == ([], [])


def test_a_part_is_outdated_by_another_version_and_not_by_the_length_of_the_whole():
    asked = request(headers="Range: bytes=0-3")
    head = 'Content-Range: bytes 0-3/10\nETag: "a"'
    part = replace(stored(f"{FRESH}\n{head}", asked=asked, status=206), body_length=4)
    times = (NOW, NOW)

    assert learned(HEAD, [part], response(f'{FRESH}\nETag: "a"\nContent-Length: 10'), OPTIONS, times) == ([], [])
    assert learned(HEAD, [part], response(f'{FRESH}\nETag: "b"'), OPTIONS, times) == ([], ["1"])
