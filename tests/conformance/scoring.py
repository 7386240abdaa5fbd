"""What the suite's results mean, counted as its own result page counts them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KINDS = ("required", "optimal", "check")


@dataclass(frozen=True)
class SuiteTest:
    """One test that a proxy is asked."""

    id: str
    suite: str
    kind: str
    depends_on: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Figure:
    """How many tests of a kind passed, of how many; and which did not."""

    passed: int
    asked: int
    failed: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.passed}/{self.asked}"


def passed(test_id: str, tests: Mapping[str, SuiteTest], results: Mapping[str, object]) -> bool:
    """A test passes when it succeeded and all that it depends on passed."""
    return results.get(test_id) is True and all(
        passed(needed, tests, results) for needed in tests[test_id].depends_on if needed in tests
    )


def figures(
    tests: Iterable[SuiteTest], results: Mapping[str, object], *, leave_out: frozenset[str] = frozenset()
) -> dict[str, Figure]:
    """A figure for each kind, without the tests in `leave_out`; dependencies on those still count."""
    by_id = {test.id: test for test in tests}
    counted = {}
    for kind in KINDS:
        asked = [test.id for test in by_id.values() if test.kind == kind and test.id not in leave_out]
        failed = tuple(sorted(test_id for test_id in asked if not passed(test_id, by_id, results)))
        counted[kind] = Figure(len(asked) - len(failed), len(asked), failed)
    return counted
