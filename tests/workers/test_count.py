import os

import pytest

from sluicegate.config.models import Settings
from sluicegate.workers.count import usable_cpus, worker_count


def count(**settings):
    return worker_count(Settings.model_validate(settings))


def test_a_number_is_that_number():
    assert count(workers=3) == 3
    assert count() == 1


def test_auto_is_what_this_process_may_run_on():
    assert count(workers="auto") == usable_cpus()


@pytest.mark.parametrize("alone", [{"limits": {"backend": "memory"}}, {"cache": {"store": "memory"}}])
def test_auto_is_one_when_something_is_kept_in_memory(alone, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))

    assert count(workers="auto", **alone) == 1


@pytest.mark.parametrize(
    ("told", "cpus"),
    [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8), ("", 8), ("nonsense", 8)],
)
def test_the_quota_of_a_container_bounds_the_processors(tmp_path, monkeypatch, told, cpus):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    (tmp_path / "cpu.max").write_text(told)

    assert usable_cpus(tmp_path / "cpu.max") == cpus


def test_without_control_groups_there_is_no_quota(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 5})

    assert usable_cpus(tmp_path / "missing") == 2


def test_auto_has_a_bound(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(256)))
    monkeypatch.setattr("sluicegate.workers.count._quota", lambda _file: None)

    assert count(workers="auto") == 64
