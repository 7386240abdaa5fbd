import pytest

from bench.rows import CROWD, ROWS, limited, misled
from bench.subjects import MITMDUMP, NGINX, SLUICEGATE, SQUID, TWO_WORKERS

ROW = {row.name: row for row in ROWS}


@pytest.mark.parametrize(("row", "served"), [("hits-32", 0), ("hits-32", 5), ("misses-32", 1000), ("misses-32", 1032)])
def test_a_sample_of_what_the_row_is_about_is_no_complaint(row, served):
    assert misled(ROW[row], 1000, served) is None


def test_hits_that_reach_the_origin_are_complained_about():
    assert "500 of 1000" in misled(ROW["hits-32"], 1000, 500)


@pytest.mark.parametrize("row", ["misses-32", "storable-32", "limited"])
def test_misses_that_do_not_reach_the_origin_are_complained_about(row):
    assert "only 999 of 1000" in misled(ROW[row], 1000, 999)


def test_not_even_one_large_body_that_should_be_a_hit_may_reach_the_origin():
    assert "1 of 1" in misled(ROW["body-hit"], 1, 1)


@pytest.mark.parametrize("kind", ["hits", "misses", "storable"])
@pytest.mark.parametrize("connections", [1, 32, CROWD])
@pytest.mark.parametrize("tls", [False, True])
def test_every_kind_of_small_request_is_asked_at_every_load_plain_and_in_tls(kind, connections, tls):
    row = ROW[f"{'tls-' if tls else ''}{kind}-{connections}"]

    assert (row.connections, row.tls, row.hit, row.fresh) == (connections, tls, kind == "hits", kind == "storable")


def test_nobody_is_asked_for_what_he_cannot_do():
    assert not [row.name for row in ROWS if row.hit and MITMDUMP in row.subjects]
    assert not [row.name for row in ROWS if row.tls and SQUID in row.subjects]
    assert not [row.name for row in ROWS if row.take is limited and row.subjects != (SLUICEGATE,)]


def test_rows_of_one_connection_have_the_direct_line_that_added_latency_is_counted_from():
    for row in ROWS:
        if row.connections == 1 and row.size < 10_000:
            assert NGINX in row.subjects
            assert TWO_WORKERS not in row.subjects


def test_a_line_is_named_after_its_row():
    assert ROW["hits-1"].metric("added p50", "µs").key == "hits-1.added-p50"
