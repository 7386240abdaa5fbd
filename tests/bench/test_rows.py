import pytest

from bench.rows import ROWS, misled

ROW = {row.name: row for row in ROWS}


@pytest.mark.parametrize(("row", "served"), [("hits", 0), ("hits", 5), ("misses", 1000), ("misses", 1032)])
def test_a_sample_of_what_the_row_is_about_is_no_complaint(row, served):
    assert misled(ROW[row], 1000, served) is None


def test_hits_that_reach_the_origin_are_complained_about():
    assert "500 of 1000" in misled(ROW["hits"], 1000, 500)


def test_misses_that_do_not_reach_the_origin_are_complained_about():
    assert "only 999 of 1000" in misled(ROW["misses"], 1000, 999)


def test_not_even_one_large_body_that_should_be_a_hit_may_reach_the_origin():
    assert "1 of 1" in misled(ROW["body-hit"], 1, 1)
