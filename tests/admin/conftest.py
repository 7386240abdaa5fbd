"""An admin server on a free port, and somebody who asks it."""

import pytest

from sluicegate.admin.server import AdminServer
from support.admin import Asker, Shown, metrics


@pytest.fixture
def proxy():
    return Shown()


@pytest.fixture
async def admin(proxy):
    server = AdminServer("127.0.0.1", 0, status=proxy.status, ready=lambda: proxy.ready, metrics=metrics)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def ask(admin):
    return Asker(admin)
