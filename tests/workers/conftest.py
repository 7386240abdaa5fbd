import sys
from pathlib import Path

import pytest

from sluicegate.config.load import load_settings
from sluicegate.proxy.listener import listen_on
from sluicegate.workers import life

STAND_IN = Path(__file__).parents[1] / "support" / "stand_in_worker.py"


@pytest.fixture
def stand_in(monkeypatch):
    """Have workers replaced by one that does as the plan says."""

    def choose(plan):
        monkeypatch.setattr(life, "WORKER", (sys.executable, str(STAND_IN)))
        monkeypatch.setenv("STAND_IN_WORKER", plan)

    return choose


@pytest.fixture
def loaded(tmp_path):
    return load_settings(
        environ={"SLUICEGATE_STATE_DIR": str(tmp_path / "state"), "SLUICEGATE_LOG__FILE": str(tmp_path / "proxy.log")}
    )


@pytest.fixture
def listening():
    with listen_on("127.0.0.1", 0) as opened:
        yield opened
