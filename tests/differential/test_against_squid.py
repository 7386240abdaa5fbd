"""Squid and Sluicegate differ exactly where docs/squid.md says so."""

from pathlib import Path

from differential.against_squid import CASES, differences, through_sluicegate, through_squid

DOCUMENT = Path(__file__).parents[2] / "docs" / "squid.md"


def documented() -> dict[str, tuple[str, str]]:
    """The rows of the table: what the case is, Squid's outcome and ours. Each has to say what the RFC asks for."""
    rows = [line.strip("| ").split(" | ") for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    found = {}
    for name, squids, ours, asked_for in rows[2:]:
        assert "RFC" in asked_for or asked_for.startswith(("As for 404", "Either"))
        found[name] = (squids, ours)
    return found


async def test_the_differences_from_squid_are_the_documented_ones():
    squids, ours = await through_squid(), await through_sluicegate()

    assert differences(squids, ours) == documented()
    assert len({case.name for case in CASES}) == len(CASES)
