import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.run import ALL, KNOWN, choose, names
from support.proxy import clean_environ

SCRIPT = Path(__file__).with_name("run.py")


def test_without_names_the_quick_rows_are_measured_and_everything_when_full():
    quick, full = choose([], full=False), choose([], full=True)

    assert set(quick) < set(full) == set(ALL)
    assert {"hits-32", "misses-32", "body-hit", "memory", "start", "help"} <= {row.name for row in quick}


def test_a_name_picks_a_row_or_all_rows_of_a_kind_quick_or_not():
    assert [row.name for row in choose(["hits", "storable-1"], full=False)] == [
        "hits-1",
        "hits-32",
        "hits-1000",
        "storable-1",
    ]


def test_a_kind_in_tls_is_a_kind_of_its_own():
    assert [row.name for row in choose(["tls-misses"], full=False)] == [
        "tls-misses-1",
        "tls-misses-32",
        "tls-misses-1000",
    ]


def test_an_unknown_name_is_told_with_those_there_are():
    with pytest.raises(argparse.ArgumentTypeError, match=r"no such row: hitz; there are .*hits"):
        names("misses,hitz")


def test_every_row_can_be_named():
    assert {row.name for row in ALL} <= set(KNOWN)


def test_a_run_prints_its_table_writes_its_json_and_leaves_nothing_behind(tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    output = tmp_path / "result.json"

    ended = subprocess.run(
        [sys.executable, SCRIPT, "--rows", "limiter-1,store", "--json", output],
        env=clean_environ(TMPDIR=str(temporary)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert "permit, 1 host: p50, µs" in ended.stdout
    assert str(output) in ended.stdout
    measured = {metric["metric"] for metric in json.loads(output.read_text())["metrics"]}
    assert {"limiter-1.p99", "store.put-p50", "store.get-from-memory-p99"} <= measured
    assert list(temporary.iterdir()) == []
