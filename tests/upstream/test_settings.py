from dataclasses import FrozenInstanceError

import pytest

from sluicegate.upstream import UpstreamPoolSettings


def test_settings_are_as_documented_and_stay_so():
    settings = UpstreamPoolSettings()

    assert (settings.connect_timeout_s, settings.first_byte_timeout_s, settings.idle_timeout_s) == (10, 60, 60)
    assert (settings.dns_cache_s, settings.max_connections) == (30, 1000)
    assert (settings.keepalive_s, settings.max_idle_per_origin, settings.max_idle) == (30, 16, 512)
    with pytest.raises(FrozenInstanceError):
        settings.max_idle = 1  # type: ignore[misc]  # what the test is about
