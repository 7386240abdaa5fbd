"""What is said of the suite's tests: which are superseded, which are refused and why, how each question is answered.

Three lists beside this file, each line a test's id and words about it, with comments. `docs/conformance.md` shows them.
"""

from collections.abc import Sequence
from pathlib import Path

from conformance.scoring import SuiteTest

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "conformance.md"
_TABLES = "<!-- from here on: tests/conformance/run_suite.py --document -->\n"


def superseded() -> dict[str, str]:
    """The tests that the suite's authors have withdrawn or altered since, and which of it."""
    return _listed("superseded.txt")


def argued() -> dict[str, str]:
    """The tests that are not passed on purpose, and why."""
    return _listed("argued.txt")


def questions() -> dict[str, tuple[bool, str]]:
    """How each test that only gathers information ends, and why in a few words."""
    split = {test_id: words.split(None, 1) for test_id, words in _listed("answers.txt").items()}
    return {test_id: (words[0] == "yes", words[1] if len(words) > 1 else "") for test_id, words in split.items()}


def page(tests: Sequence[SuiteTest]) -> str:
    """`docs/conformance.md`: what was written by hand in it, then the tables."""
    by_hand = PAGE.read_text().partition(_TABLES)[0]
    names = {test.id: test.name for test in tests}
    refused = [f"| `{test_id}` | {_cell(names[test_id])} | {_cell(why)} |" for test_id, why in argued().items()]
    asked = questions()
    answered = [
        f"| `{test.id}` | {_cell(test.name)} | {'yes' if asked[test.id][0] else 'no'} | {_cell(asked[test.id][1])} |"
        for test in tests
        if test.kind == "check" and test.id in asked
    ]
    return "\n".join(
        [
            by_hand + _TABLES,
            "## What is refused\n",
            "| test | what it wants | why not |",
            "| --- | --- | --- |",
            *refused,
            "\n## What the suite only asks\n",
            "These tests have no right answer; each is a question that caches may answer differently.\n",
            "| test | question | here | why |",
            "| --- | --- | --- | --- |",
            *answered,
            "",
        ]
    )


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _listed(name: str) -> dict[str, str]:
    lines = (line.split("#")[0].split(None, 1) for line in (HERE / name).read_text().splitlines())
    return {words[0]: words[1].strip() if len(words) > 1 else "" for words in lines if words}
