import pytest

from support.cache_cli import CacheCli


@pytest.fixture
def cache(tmp_path) -> CacheCli:
    """`sluicegate cache` on a state directory in which nothing is stored."""
    return CacheCli(tmp_path)
