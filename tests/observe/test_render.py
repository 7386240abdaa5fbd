import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.events import Access
from sluicegate.observe.render import JsonLines, TextLines, Timestamps

any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=50)
amounts = st.floats(0, 1e6)

exchanges = st.builds(
    Access,
    request_id=any_text,
    client=any_text,
    method=any_text,
    url=any_text,
    host=any_text,
    status=st.integers(0, 999),
    bytes_sent=st.integers(0, 2**60),
    duration_s=amounts,
    wait_s=amounts,
    cache=any_text,
    limit_key=any_text,
    error=any_text,
    user=any_text,
)


@given(exchanges)
def test_every_access_line_is_one_line_of_valid_json(event):
    line = JsonLines().access(event, 1_800_000_000.0)

    assert line.endswith("}\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    parsed = json.loads(line)
    assert parsed["bytes"] == event.bytes_sent
    json.dumps(parsed, ensure_ascii=False).encode("utf-8")


@given(exchanges)
def test_every_access_line_as_text_is_one_printable_line(event):
    line = TextLines(colour=False).access(event, 1_800_000_000.0)

    assert line.endswith("\n")
    assert line[:-1].isprintable()


def test_what_is_kept_of_one_line_stays_out_of_the_next():
    lines = JsonLines()
    one = Access("r-1", "10.0.0.1", "GET", "http://a/", "a", 200, 1, 0.1, 0.0, "hit", "a", user="ann")
    for changed in (
        {}, {"client": "10.0.0.2"}, {"method": "PUT"}, {"host": "b"}, {"status": 404}, {"cache": "miss"},
        {"limit_key": "b"}, {"error": "client_gone"}, {"user": ""}, {},
    ):  # fmt: skip
        event = replace(one, **changed)
        told = json.loads(lines.access(event, 0.0))
        names = {"client", "method", "host", "status", "cache", "limit_key", "error", "user"}
        assert {name: told[name] for name in names & set(told)} == {
            name: text for name in names if (text := getattr(event, name)) or name not in {"error", "user"}
        }


def test_however_many_hosts_come_the_lines_stay_right_and_what_is_kept_is_bounded():
    lines = JsonLines()
    for number in range(5000):
        event = Access("r", f"c{number}", "GET", "http://h/", f"h{number}", 200, 1, 0.1, 0.0, "hit")
        told = json.loads(lines.access(event, 0.0))
        assert (told["client"], told["host"]) == (f"c{number}", f"h{number}")

    assert len(lines._askers) <= 1024
    assert len(lines._answers) <= 1024


def test_texts_too_long_to_keep_are_written_all_the_same():
    lines = JsonLines()
    event = Access("r", "c", "GET", "http://h/", "h", 200, 1, 0.1, 0.0, "hit", user="u" * 900)

    assert [json.loads(lines.access(event, 0.0))["user"] for _ in range(2)] == ["u" * 900] * 2
    assert not lines._answers


@given(st.floats(0, 3600))
def test_durations_are_told_to_a_tenth_of_a_millisecond(seconds):
    event = Access("r", "c", "GET", "http://h/", "h", 200, 1, seconds, seconds, "hit")

    told = json.loads(JsonLines().access(event, 0.0))

    assert told["duration_ms"] == told["wait_ms"] == pytest.approx(seconds * 1000, abs=0.0501)
    assert round(told["wait_ms"], 1) == told["wait_ms"]


def test_timestamps_change_within_a_second_and_from_one_to_the_next():
    stamp = Timestamps("%H:%M:%S", time.gmtime, "Z")

    assert [stamp(wall) for wall in (0.0, 0.5, 0.9999, 1.0, 0.25)] == [
        "00:00:00.000Z", "00:00:00.500Z", "00:00:00.999Z", "00:00:01.000Z", "00:00:00.250Z",
    ]  # fmt: skip


def test_text_lines_have_colour_only_when_asked_for():
    event = Access("r", "c", "GET", "http://h/", "h", 503, 0, 0.1, 0.0, "none")

    assert "\x1b[31m503\x1b[0m" in TextLines(colour=True).access(event, 0.0)
    assert "\x1b" not in TextLines(colour=False).access(event, 0.0)
