"""The short form of `make crash`."""

import pytest

from crash.loop import RATES, SLOTS, World


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_proxy_that_is_killed_while_it_writes_serves_no_wrong_byte_and_keeps_its_bounds(tmp_path, workers):
    report = await World(tmp_path, workers, seed=9111).run(6, settle_every=6)

    assert report.violations == []
    assert report.kills.total() == 6
    assert report.counts["hit"] > 50
    assert report.counts["changes"] > 5
    assert report.counts["cut"] > 6, "clients were in the middle of a response"
    assert report.limited > RATES[-1][0]
    assert report.most_at_once == SLOTS, "the origin was as busy as it may be"
