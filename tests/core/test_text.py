import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.text import clean, clip, human_bytes, human_seconds, printable

any_text = st.text(st.characters(codec=None, exclude_categories=()))


@given(any_text)
def test_printable_text_stays_on_its_line_and_moves_no_cursor(text):
    assert printable(text).isprintable()


@given(any_text)
def test_clean_text_can_be_encoded(text):
    clean(text).encode("utf-8")


def test_only_what_does_no_good_is_changed():
    assert printable("Grüße, 世界") == "Grüße, 世界"
    assert printable("a\nb\tc\x1b[2J\u202ed\U000e0001") == r"a\nb\tc\x1b[2J\u202ed\U000e0001"
    assert clean("é\ud800x") == "é\ufffdx"


def test_long_text_is_cut_and_says_so():
    assert clip("x" * 10, 10) == "x" * 10
    assert clip("x" * 12, 10) == "x" * 10 + "… (2 more)"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (20 << 20, "20 MiB"),
        (3 << 40, "3 TiB"),
        (5 << 50, "5120 TiB"),
    ],
)
def test_bytes_for_people(count, text):
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.00034, "340 µs"), (0.012, "12 ms"), (1.5, "1.5 s"), (60, "1 min 0 s"), (200, "3 min 20 s"),
        (7500, "2 h 5 min"), (3 * 86_400 + 4 * 3600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_seconds_for_people(seconds, text):
    assert human_seconds(seconds) == text
