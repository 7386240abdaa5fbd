"""The short form of `make crash`."""

import pytest

from crash.loop import RATES, SLOTS, World


@pytest.mark.parametrize(("workers", "kills"), [(1, 4), (2, 8)])
async def test_a_proxy_that_is_killed_while_it_writes_serves_no_wrong_byte_and_keeps_its_bounds(
    tmp_path, workers, kills
):
    report = await World(tmp_path, workers, seed=9111).run(kills, settle_every=kills)

    assert report.violations == []
    assert report.kills.total() == kills
    assert report.counts["hit"] > 50
    assert report.counts["changes"] > 5
    assert report.counts["cut"] > kills, "clients were in the middle of a response"
    assert report.limited >= RATES[-1][0]
    assert report.most_at_once == SLOTS, "the origin was as busy as it may be"
