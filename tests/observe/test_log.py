import json
import os
import pty
import subprocess
import sys
import threading

import pytest

from sluicegate.clock import ManualClock
from sluicegate.core.events import (
    Abandoned,
    Access,
    CacheDecided,
    Level,
    Notice,
    Permitted,
    Rejected,
    Stage,
    UpstreamAnswered,
    UpstreamFailed,
)
from sluicegate.observe.log import open_log, wants_colour

SECRET = "hunter2-S3cr3t"
SPITEFUL = 'x"\n{"level":"error"}\r\x1b[2J\u202e\u2028\x9b31m\ud800é'

ACCESS = Access(
    request_id="r-1",
    client="127.0.0.1",
    method="GET",
    url="https://example.com/a?page=2",
    host="example.com",
    status=200,
    bytes_sent=1234,
    duration_s=0.01234,
    wait_s=0.5,
    cache="miss",
    limit_key="example.com",
)

QUIET = CacheDecided("r-1", "https://example.com/a", "miss", "uri-miss", "RFC 9211 §2.2", stored=True)
LOUD = Rejected("r-1", "example.com", "example.com", "queue_full", 1.5, 10)


def access(**changes) -> Access:
    return Access(**{name: getattr(ACCESS, name) for name in Access.__slots__} | changes)


def notice(**fields) -> Notice:
    return Notice(Stage.CONFIG, "reloaded", Level.INFO, "The configuration was read again.", fields)


@pytest.fixture
def log_lines(tmp_path):
    """Writes events through a log and gives back the lines."""

    def write(*events, clock=None, **options):
        log = open_log(tmp_path / "log", clock=clock or ManualClock(), **{"level": Level.DEBUG} | options)
        for event in events:
            log.emit(event)
        log.close()
        return (tmp_path / "log").read_text("utf-8").splitlines()

    return write


@pytest.fixture
def records(log_lines):
    """The same, parsed; strictly, so that NaN or a broken line is an error."""

    def refuse(constant):
        raise ValueError(constant)

    return lambda *events, **options: [
        json.loads(line, parse_constant=refuse) for line in log_lines(*events, **options)
    ]


def test_the_access_line_says_who_asked_for_what_and_how_it_went(records):
    (line,) = records(ACCESS)

    assert line == {
        "ts": "2027-01-15T08:00:00.000Z",
        "level": "info",
        "event": "access",
        "stage": "access",
        "request_id": "r-1",
        "client": "127.0.0.1",
        "method": "GET",
        "url": "https://example.com/a?page=2",
        "host": "example.com",
        "status": 200,
        "bytes": 1234,
        "duration_ms": 12.3,
        "wait_ms": 500.0,
        "cache": "miss",
        "limit_key": "example.com",
    }


def test_error_and_user_stand_in_the_access_line_when_there_are_any(records):
    (line,) = records(access(error="connection_timeout", user="ann"))

    assert (line["error"], line["user"]) == ("connection_timeout", "ann")


def test_each_event_has_its_stage_level_name_and_fields(records):
    events = [
        Permitted("r-1", "h", "k", 0.2, 3, 2),
        Permitted("r-1", "h", "k", 0.0, 0, 1),
        LOUD,
        Abandoned("r-1", "h", "k", 0.25),
        QUIET,
        UpstreamAnswered("r-1", "h", 200, 0.031, reused=True),
        UpstreamFailed("r-1", "h", "dns_error", "no such name"),
        Notice(Stage.TLS, "client_refused", Level.ERROR, "The client refused.", {"client": "10.0.0.1"}),
    ]

    lines = records(*events)

    for line in lines:
        assert list(line)[:4] == ["ts", "level", "event", "stage"]
    assert [{key: value for key, value in line.items() if key != "ts"} for line in lines] == [
        {
            "level": "info", "event": "permit", "stage": "rate-limiter", "request_id": "r-1", "host": "h",
            "limit_key": "k", "wait_ms": 200.0, "queue": 3, "in_flight": 2,
        },
        {
            "level": "debug", "event": "permit", "stage": "rate-limiter", "request_id": "r-1", "host": "h",
            "limit_key": "k", "wait_ms": 0.0, "queue": 0, "in_flight": 1,
        },
        {
            "level": "warning", "event": "reject", "stage": "rate-limiter", "request_id": "r-1", "host": "example.com",
            "limit_key": "example.com", "why": "queue_full", "retry_after_s": 1.5, "queue": 10,
        },
        {
            "level": "info", "event": "abandon", "stage": "rate-limiter", "request_id": "r-1", "host": "h",
            "limit_key": "k", "wait_ms": 250.0,
        },
        {
            "level": "debug", "event": "cache", "stage": "cache", "request_id": "r-1", "url": "https://example.com/a",
            "outcome": "miss", "reason": "uri-miss", "section": "RFC 9211 §2.2", "stored": True,
        },
        {
            "level": "debug", "event": "response", "stage": "upstream", "request_id": "r-1", "host": "h", "status": 200,
            "duration_ms": 31.0, "reused": True,
        },
        {
            "level": "warning", "event": "failure", "stage": "upstream", "request_id": "r-1", "host": "h",
            "error": "dns_error", "message": "no such name",
        },
        {
            "level": "error", "event": "client_refused", "stage": "tls", "message": "The client refused.",
            "client": "10.0.0.1",
        },
    ]  # fmt: skip


def test_lines_below_the_level_are_not_written(records):
    assert [line["event"] for line in records(QUIET, ACCESS, LOUD, level=Level.INFO)] == ["access", "reject"]


def test_at_level_warning_access_lines_are_not_written(records):
    assert [line["event"] for line in records(QUIET, ACCESS, LOUD, level=Level.WARNING)] == ["reject"]


def test_the_level_can_change_while_running(tmp_path):
    log = open_log(tmp_path / "log", clock=ManualClock(), level=Level.ERROR)
    log.emit(ACCESS)
    log.set_level(Level.DEBUG)
    log.emit(QUIET)
    log.close()

    assert [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()] == ["cache"]


def test_what_no_line_is_written_of_is_not_wanted(tmp_path):
    log = open_log(tmp_path / "log", clock=ManualClock(), level=Level.INFO)

    assert [log.wants(kind) for kind in (Access, CacheDecided, UpstreamAnswered)] == [True, False, False]
    log.set_level(Level.DEBUG)
    assert log.wants(CacheDecided)
    log.close()


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_no_secret_is_ever_written(log_lines, fmt):
    url = f"https://u:{SECRET}@example.com/?token={SECRET}&page=2"

    lines = log_lines(
        access(url=url),
        CacheDecided("r-1", url, "miss", "uri-miss", "x"),
        UpstreamFailed("r-1", "h", "dns_error", f"cannot reach {url}"),
        notice(redis_url=f"redis://:{SECRET}@h/0", Authorization=f"Basic {SECRET}", headers={"Cookie": SECRET}),
        Notice(Stage.CONFIG, "bad", Level.ERROR, f"parent http://a:{SECRET}@p:3128, Proxy-Authorization: {SECRET}"),
        fmt=fmt,
    )

    assert len(lines) == 5
    assert SECRET not in "\n".join(lines)


def test_nothing_that_a_client_sends_can_forge_a_line_or_break_the_json(log_lines):
    texts = dict.fromkeys(
        ("request_id", "client", "method", "url", "host", "cache", "limit_key", "error", "user"), SPITEFUL
    )

    lines = log_lines(
        access(**texts), notice(**{SPITEFUL: SPITEFUL}), UpstreamFailed("r", SPITEFUL, SPITEFUL, SPITEFUL)
    )

    assert len(lines) == 3
    assert all(line.isascii() and line.isprintable() for line in lines)
    parsed = [json.loads(line) for line in lines]
    assert parsed[0]["url"] == SPITEFUL.replace("\ud800", "\ufffd")
    assert parsed[2]["message"] == SPITEFUL.replace("\ud800", "\ufffd")


def test_nothing_that_a_client_sends_can_drive_the_terminal(log_lines):
    texts = dict.fromkeys(
        ("request_id", "client", "method", "url", "host", "cache", "limit_key", "error", "user"), SPITEFUL
    )

    lines = log_lines(access(**texts), notice(**{SPITEFUL: SPITEFUL}), fmt="text", environ={"NO_COLOR": "1"})

    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_a_url_of_a_megabyte_makes_no_line_of_a_megabyte(log_lines):
    lines = log_lines(access(url="http://h/" + "x" * 1_000_000, user="u" * 1_000_000), notice(detail="x" * 1_000_000))

    assert max(map(len, lines)) < 20_000
    assert "more)" in lines[0]


def test_a_notice_cannot_take_the_place_of_our_own_fields(records):
    (line,) = records(notice(event="forged", level="forged", stage="forged", ts="forged", self=1, message="forged"))

    assert (line["event"], line["level"], line["stage"]) == ("reloaded", "info", "config")
    assert line["ts"] != "forged"
    assert line["field_event"] == "forged"


def test_milliseconds_and_seconds_of_the_timestamp_move_with_the_clock(records):
    clock = ManualClock(wall=1_800_000_000.25)
    first = records(ACCESS, clock=clock)[0]["ts"]
    clock.jump_wall(86_400.5)
    second = records(ACCESS, clock=clock)[-1]["ts"]

    assert (first, second) == ("2027-01-15T08:00:00.250Z", "2027-01-16T08:00:00.750Z")


def test_text_lines_read_well(log_lines):
    lines = log_lines(
        access(error="client_gone"),
        Notice(Stage.TLS, "client_refused", Level.WARNING, "It does not trust us.", {"client": "10.0.0.1", "tries": 3}),
        fmt="text",
        environ={},
    )

    assert lines[0].partition(" ")[2] == (
        "200 miss        GET https://example.com/a?page=2 1.21 KiB in 12.3 ms waited 500 ms client_gone"
    )
    assert lines[1].partition(" ")[2] == "WARNING tls client_refused: It does not trust us. client=10.0.0.1 tries=3"


def test_colour_follows_the_terminal_and_the_users_variables():
    assert wants_colour({}, terminal=True)
    assert not wants_colour({}, terminal=False)
    assert not wants_colour({"TERM": "dumb"}, terminal=True)
    assert not wants_colour({"NO_COLOR": "1", "FORCE_COLOR": "1"}, terminal=True)
    assert wants_colour({"FORCE_COLOR": "1"}, terminal=False)


@pytest.mark.parametrize(("fmt", "is_json"), [("auto", False), ("json", True), ("text", False)])
def test_a_terminal_gets_readable_lines_unless_json_is_asked_for(fmt, is_json):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        log = open_log(None, clock=ManualClock(), fmt=fmt, stream=terminal, environ={"TERM": "xterm"})
        log.emit(ACCESS)
        log.close()
        line = os.read(ours, 65_536).decode()
    os.close(ours)

    assert line.startswith("{") == is_json
    assert ("\x1b[32m200" in line) == (not is_json)


def test_a_pipe_gets_json():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        log = open_log(None, clock=ManualClock(), stream=pipe)
        log.emit(ACCESS)
        log.close()
    with os.fdopen(reading) as received:
        assert json.loads(received.read())["event"] == "access"


def test_a_reader_that_went_away_breaks_nothing_and_the_lines_are_counted():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        log = open_log(None, clock=ManualClock(), stream=pipe)
        log.emit(ACCESS)
        log.emit(LOUD)
        assert log.flush()
        log.close()

    assert log.dropped == 2


def test_a_reader_that_does_not_read_holds_nobody_up():
    """Were `emit` to wait for the pipe, this test would hang."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        log = open_log(None, clock=ManualClock(), stream=pipe)
        for _ in range(5_000):
            log.emit(ACCESS)
        lines = 0
        drain = threading.Thread(target=log.close)
        drain.start()
        with os.fdopen(reading) as received:
            while lines < 5_000:
                lines += received.readline().startswith("{")
        drain.join()


def test_dropped_lines_are_owned_up_to_in_a_line_of_their_own(tmp_path):
    log = open_log(tmp_path / "logs/log", clock=ManualClock())
    (tmp_path / "logs/log").unlink()
    (tmp_path / "logs").rmdir()
    (tmp_path / "logs").touch()
    log.emit(LOUD)
    assert log.flush()
    (tmp_path / "logs").unlink()
    log.emit(ACCESS)
    log.close()

    told, line = (json.loads(line) for line in (tmp_path / "logs/log").read_text().splitlines())
    assert (told["event"], told["stage"], told["level"]) == ("log_lines_dropped", "lifecycle", "warning")
    assert told["count"] == 1
    assert line["event"] == "access"


END_WITHOUT_CLOSING = """
import sys
from sluicegate.clock import SystemClock
from sluicegate.core.events import *
from sluicegate.observe.log import open_log
log = open_log(None, clock=SystemClock())
for number in range(1000):
    log.emit(Notice(Stage.LIFECYCLE, "line", Level.INFO, "", {"number": number}))
"""


def test_a_process_that_ends_without_closing_its_log_loses_no_line():
    done = subprocess.run([sys.executable, "-c", END_WITHOUT_CLOSING], capture_output=True, timeout=60, check=True)

    assert [json.loads(line)["number"] for line in done.stdout.splitlines()] == list(range(1000))
