"""Everything here runs on asyncio's own loop and on uvloop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trustme
import uvloop

from sluicegate.upstream import Pool, UpstreamPoolSettings, client_context
from support.upstream import MakePool


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def make_pool(authority: trustme.CA) -> AsyncIterator[MakePool]:
    """Pools that trust the test authority, closed at the end with nothing left open."""
    context = client_context()
    authority.configure_trust(context)
    pools: list[Pool] = []

    def make(**settings: Any) -> Pool:
        pools.append(Pool(UpstreamPoolSettings(**{"tls": context, **settings})))
        return pools[-1]

    yield make
    for pool in pools:
        await pool.aclose()
        assert pool.stats() == {}


@pytest.fixture
def pool(make_pool: MakePool) -> Pool:
    return make_pool()
