import io

import pytest
from rich.console import Console

from sluicegate.cli.cache import warming_progress
from sluicegate.cli.cache.warming_progress import progress_of, report
from sluicegate.warming.lists import Wanted
from sluicegate.warming.results import Outcome, Result, Summary

URL = Wanted("http://a.example/", "urls.txt:1")


def advance(summary, *outcomes):
    with progress_of(summary) as progress:
        for outcome in outcomes:
            summary.add(Result(URL, outcome, "no-store" if outcome is Outcome.NOT_CACHEABLE else ""))
            progress.advance()


def test_a_terminal_gets_a_bar(monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(warming_progress, "Console", lambda **_options: console)

    advance(Summary(total=2), Outcome.STORED, Outcome.FRESH)

    assert "2/2" in screen.getvalue()
    assert "1 stored, 1 already fresh" in screen.getvalue()


def test_a_pipe_gets_plain_lines(monkeypatch, capsys):
    monkeypatch.setattr(warming_progress, "_LINE_EVERY_S", 0.0)

    advance(Summary(total=3, skipped=1), Outcome.STORED)

    lines = capsys.readouterr().err.splitlines()
    assert lines == ["1 of 3: 1 done before", "2 of 3: 1 stored, 1 done before"]


def test_a_pipe_is_not_flooded(capsys):
    advance(Summary(total=1000), *[Outcome.STORED] * 1000)

    assert capsys.readouterr().err == ""


def test_the_report_says_what_was_not_cached_and_why(capsys):
    summary = Summary(total=6)
    for _ in range(5):
        summary.add(Result(URL, Outcome.NOT_CACHEABLE, "no-store"))
    report(summary)

    text = capsys.readouterr().out
    assert "Not cacheable, 5: The response says no-store" in text
    assert "and 2 more" in text


def test_the_report_of_an_interrupted_run_says_how_to_go_on(capsys):
    report(Summary(total=3, interrupted=True))

    assert "The same command goes on from here." in capsys.readouterr().out


@pytest.mark.parametrize("failures", [1, 25])
def test_failures_are_listed_up_to_a_screenful(capsys, failures):
    summary = Summary(total=failures)
    for _ in range(failures):
        summary.add(Result(URL, Outcome.FAILED, "no\x1b[31m"))
    report(summary)

    text = capsys.readouterr().out
    assert text.count("urls.txt:1") == min(failures, 20)
    assert ("and 5 more" in text) == (failures == 25)
    assert "\x1b" not in text
