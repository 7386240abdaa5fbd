"""The checks find what they are for."""

import pytest

from crash.contents import body_of, etag_of
from crash.ledger import Ledger, Reply, most_at_once, windows_exceeded

PATH = "/m/1"
BODY = body_of(PATH, 3)
FIELDS = {"etag": etag_of(PATH, 3), "cache-status": "Sluicegate; hit; ttl=1"}


def judged(reply, *, told=3, fields=None):
    ledger = Ledger()
    ledger.changed(PATH, told)
    ledger.judge(ledger.ask("GET", PATH, fields or {}), reply)
    return ledger


def test_a_whole_response_and_one_that_was_cut_are_as_they_should_be():
    assert judged(Reply(200, FIELDS, BODY, complete=True)).violations == []
    assert judged(Reply(200, FIELDS, BODY[:1000])).violations == []
    part = FIELDS | {"content-range": f"bytes 10-19/{len(BODY)}"}
    assert judged(Reply(206, part, BODY[10:20], complete=True)).violations == []
    assert judged(Reply(200, FIELDS, BODY, complete=True)).counts["hit"] == 1


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(200, FIELDS, BODY[:-1], complete=True), "the end came elsewhere"),
        (Reply(200, FIELDS, BODY[:5000] + bytes(10)), "something else from 5000 on"),
        (Reply(200, FIELDS, body_of(PATH, 4)[: len(BODY)]), "something else from 0 on"),
        (Reply(200, FIELDS | {"etag": '"3-00000000"'}, BODY, complete=True), "an ETag that nobody gave"),
        (Reply(206, FIELDS | {"content-range": f"bytes 10-19/{len(BODY)}"}, BODY[11:21], complete=True), "from 0 on"),
        (Reply(502, {}, b"{}", complete=True), "an answer that nobody gave"),
        (Reply(late=True), "no end in sight"),
        (Reply(206, FIELDS | {"content-range": "bytes 10-19/20"}, BODY[10:20], complete=True), "cannot be"),
    ],
)
def test_what_cannot_be_is_found(reply, why):
    [violation] = judged(reply).violations
    assert why in violation


def test_an_older_version_than_the_one_told_is_found():
    [violation] = judged(Reply(200, FIELDS, BODY, complete=True), told=4).violations
    assert "version 3, though version 4 was told before" in violation


def test_a_part_of_another_version_than_asked_for_is_found():
    part = FIELDS | {"content-range": f"bytes 0-9/{len(BODY)}"}
    reply = Reply(206, part, BODY[:10], complete=True)
    [violation] = judged(reply, fields={"if-range": etag_of(PATH, 2)}).violations
    assert "another version" in violation


def test_a_window_with_too_many_and_too_many_at_once_are_found(tmp_path):
    notes = tmp_path / "notes"
    notes.write_text("10.0 10.5 answered\n10.4 10.9 answered\n10.9 11.4 answered\n11.35 11.6 cut\n")

    assert windows_exceeded(notes, [(2, 1.0), (4, 5.0)], 0.015) == ["3 requests in 1.0 s, 2 allowed"]
    assert most_at_once(notes) == 2
