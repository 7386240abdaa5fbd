from pathlib import Path

from sluicegate.core.caching.decisions import Reason

DOCUMENTED = Path(__file__).resolve().parents[3] / "docs" / "caching.md"


def test_every_reason_is_documented_with_its_section():
    rows = [line for line in DOCUMENTED.read_text().splitlines() if line.startswith("| `")]
    for reason in Reason:
        assert any(row.startswith(f"| `{reason.token}` |") and row.endswith(f"| {reason.section} |") for row in rows), (
            reason
        )


def test_reasons_have_words_of_their_own():
    assert len({reason.token for reason in Reason}) == len(Reason)
