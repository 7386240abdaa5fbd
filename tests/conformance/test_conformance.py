"""The gate: the public cache test suite, through each way to the cache, ends as `docs/conformance.md` says."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from conformance import answers, suite
from conformance.proxies import WAYS, sluicegate
from conformance.scoring import figures


def run(way):
    with sluicegate(way) as proxy:
        return suite.run(proxy)


@pytest.fixture(scope="module")
def tests():
    suite.install()
    return suite.list_tests()


@pytest.fixture(scope="module")
def figures_of(tests):
    """What each way passes. They run at once: the suite mostly waits for responses to become stale."""
    with ThreadPoolExecutor(len(WAYS)) as pool:
        return {way: figures(tests, results) for way, results in zip(WAYS, pool.map(run, WAYS), strict=True)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["required", "optimal"])
def test_every_test_passes_but_those_that_are_refused(figures_of, tests, way, kind):
    failed = set(figures_of[way][kind].failed) - answers.superseded().keys()
    refused = {test.id for test in tests if test.kind == kind} & answers.argued().keys()

    assert failed == refused


@pytest.mark.parametrize("way", WAYS)
def test_what_the_suite_only_asks_is_answered_as_written_down(figures_of, tests, way):
    failed = figures_of[way]["check"].failed
    answered = {test.id: test.id not in failed for test in tests if test.kind == "check"}

    assert answered == {test_id: yes for test_id, (yes, _why) in answers.questions().items()}


def test_every_refusal_and_every_answer_has_its_reason():
    assert all(answers.argued().values())
    assert all(why for _yes, why in answers.questions().values())
    assert not answers.argued().keys() & answers.superseded().keys()


def test_the_page_shows_what_is_written_down(tests):
    assert answers.PAGE.read_text() == answers.page(tests), "run tests/conformance/run_suite.py --document"
