import pytest

from sluicegate.core.events import (
    Abandoned,
    CacheDecided,
    Level,
    Notice,
    Permitted,
    Rejected,
    Stage,
    UpstreamAnswered,
    UpstreamFailed,
)
from sluicegate.observe.records import level_of, record_of

PERMITTED = Permitted("r-1", "up.test", "up.test", 0.0, 3, 2)


@pytest.mark.parametrize(
    ("event", "stage", "name"),
    [
        (PERMITTED, Stage.LIMITER, "permit"),
        (Rejected("r-1", "up.test", "up.test", "max_wait", 1.5, 9), Stage.LIMITER, "reject"),
        (Abandoned("r-1", "up.test", "up.test", 0.25), Stage.LIMITER, "abandon"),
        (CacheDecided("r-1", "http://up.test/", "hit", "fresh", "RFC 9111 §4.2"), Stage.CACHE, "cache"),
        (UpstreamAnswered("r-1", "up.test", 200, 0.1, reused=True), Stage.UPSTREAM, "response"),
        (UpstreamFailed("r-1", "up.test", "dns_error", "no such host"), Stage.UPSTREAM, "failure"),
    ],
)
def test_each_event_has_its_stage_its_name_and_its_request(event, stage, name):
    record = record_of(event)

    assert (record.stage, record.event, record.fields["request_id"]) == (stage, name, "r-1")


def test_a_permit_that_did_not_wait_is_no_news():
    waited = Permitted("r-1", "up.test", "up.test", 0.5, 3, 2)

    assert level_of(PERMITTED) is Level.DEBUG
    assert level_of(waited) is Level.INFO
    assert record_of(waited).fields["wait_ms"] == 500.0


def test_a_notice_speaks_for_itself():
    notice = Notice(Stage.TLS, "client_refused_certificate", Level.WARNING, "Do this.", {"host": "up.test"})
    record = record_of(notice)

    assert level_of(notice) is Level.WARNING
    assert (record.event, record.message, record.fields) == (notice.event, "Do this.", {"host": "up.test"})
