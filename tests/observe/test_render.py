import json
import time

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


def test_timestamps_change_within_a_second_and_from_one_to_the_next():
    stamp = Timestamps("%H:%M:%S", time.gmtime, "Z")

    assert [stamp(wall) for wall in (0.0, 0.5, 0.9999, 1.0, 0.25)] == [
        "00:00:00.000Z", "00:00:00.500Z", "00:00:00.999Z", "00:00:01.000Z", "00:00:00.250Z",
    ]  # fmt: skip


def test_text_lines_have_colour_only_when_asked_for():
    event = Access("r", "c", "GET", "http://h/", "h", 503, 0, 0.1, 0.0, "none")

    assert "\x1b[31m503\x1b[0m" in TextLines(colour=True).access(event, 0.0)
    assert "\x1b" not in TextLines(colour=False).access(event, 0.0)
