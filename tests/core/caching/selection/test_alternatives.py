import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.caching.selection.alternatives import acceptable, first_choices, plainest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"en, de",), (b"de,en",)),
        ((b"en, de",), (b"EN ,  De",)),
        ((b"en", b"de"), (b"de, en",)),
        ((b"en;q=1.0, de;q=0.50",), (b"de ; Q=0.5,en",)),
        ((b"en,, de,",), (b"en, de, en",)),
        ((b"text/HTML;Level=1",), (b"text/html; level=1",)),
    ],
)
def test_order_case_spaces_and_the_spelling_of_weights_mean_nothing(one, other):
    assert plainest(one) == plainest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"en, de;q=0.5", b"en;q=0.5, de"),
        (b"en;q=0", b"en"),
        (b"text/html;profile=A", b"text/html;profile=a"),
        (b'text/html;profile="a,b"', b'text/html;profile="b,a"'),
        (b'text/html;profile="a;b"', b"text/html;profile=a;b"),
    ],
)
def test_weights_and_the_values_of_parameters_do(one, other):
    assert plainest((one,)) != plainest((other,))


@given(st.lists(st.binary(max_size=40), max_size=3))
def test_the_plainest_form_is_its_own(lines):
    plain = plainest(tuple(lines))

    assert plainest((plain,)) == plain
    first_choices(plain)


@pytest.mark.parametrize(
    ("listed", "first"),
    [
        (b"en, de", {b"en", b"de"}),
        (b"fr;q=0.5, de;q=1.0", {b"de"}),
        (b"fr;q=0.5, de;q=0.7", {b"de"}),
        (b"en;q=0", set()),
        (b"en;q=2, de", set()),
        (b"en;x=1, de", set()),
        (b"", set()),
    ],
)
def test_rfc9110_12_4_2_the_highest_weight_is_the_first_choice(listed, first):
    assert first_choices(plainest((listed,))) == first


def test_rfc9110_12_4_2_a_weight_of_0_refuses():
    assert acceptable([b"gzip, br;q=0", b"zstd;q=0.1"]) == {b"gzip", b"zstd"}
    assert acceptable([]) == set()
