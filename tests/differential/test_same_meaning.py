"""The same meaning everywhere: random request sequences, told to every way of asking and to every store, and compared.

What the engine alone says over the store in memory is what all others have to say: the response byte for byte, the
access line, what the cache decided, what reached the origin, and what is stored in the end. A difference is told with the
shortest sequence that was found to make it.

The sequences are the same in every run. More of them: `SLUICEGATE_SEQUENCES=1000 make test ARGS=tests/differential`, and
`SLUICEGATE_FIRST_SEQUENCE=5000` begins elsewhere.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from differential import ways
from differential.sequences import Sequence, sequence
from differential.worlds import Story, world
from support.cache_stores import Kind

LENGTH = 25
FIRST = int(os.environ.get("SLUICEGATE_FIRST_SEQUENCE", "0"))
ALL = int(os.environ.get("SLUICEGATE_SEQUENCES", "50"))
TRIES = 30
"""Sequences that are tried on the way to a shorter one."""

OVER_MEMORY = [(name, "memory", ALL) for name in ways.WAYS if name != "engine alone"]
OVER_OTHERS = [
    (name, kind, ALL) for kind in ("disk", "redis") for name in ("engine alone", "lane", "lane, pipelined", "tunnel")
]
IN_NO_ORDER = {"redis"}
"""Stores that name the responses under a key in any order; the others in the order of storing."""
RULED = ("lane", "lane, pipelined", "tunnel", "flow adapter")
"""Ways that are tried with rules of the user's own, too."""
_expected: dict[tuple[bool, tuple[Sequence, ...]], list[Story]] = {}
"""What the engine alone says to sequences one after the other; the clock goes on from one to the next."""


@dataclass
class Setting:
    """Which way, which store, and where they keep what they need."""

    way: str
    kind: str
    directory: Path
    request: pytest.FixtureRequest
    ruled: bool = False
    """Whether there are rules of the user's own."""
    opened: int = 0

    async def stories(self, sequences: list[Sequence]) -> list[Story]:
        """What comes of sequences, one after the other, in a world that none was in before."""
        self.opened += 1
        directory = self.directory / str(self.opened)
        directory.mkdir()
        server = self.request.getfixturevalue("shared_redis") if self.kind == "redis" else None
        store = await Kind(self.kind, directory, server).open()
        confdir = self.request.getfixturevalue("confdir")
        async with world(store, ruled=self.ruled) as place, ways.WAYS[self.way](place, confdir) as tell:
            return [await place.story(one, tell) for one in sequences]

    def expected(self, story: Story) -> Story:
        """What this way should say where the engine alone says `story`."""
        if self.way == "flow adapter":
            return replace(story, told=[ways.without_chunks(told) for told in story.told])
        return story


@pytest.fixture(scope="session")
def confdir(tmp_path_factory):
    """One certificate authority for all servers: to make it takes longest."""
    return tmp_path_factory.mktemp("confdir")


@pytest.mark.parametrize(("way", "kind", "number"), OVER_MEMORY + OVER_OTHERS)
async def test_the_same_sequence_has_the_same_outcome(way, kind, number, tmp_path, request):
    sequences = [sequence(seed, LENGTH) for seed in range(FIRST, FIRST + number)]
    if kind in IN_NO_ORDER:
        sequences = [one.unambiguous() for one in sequences]
    await _compare(Setting(way, kind, tmp_path, request), sequences)
    if way.startswith(("lane", "tunnel")) and "conversations" not in way and "each" not in way:
        assert ways.CountedHits.answered > number
        assert kind == "redis" or ways.CountedMisses.spared > number // 2
    else:
        assert ways.CountedHits.answered == 0


@pytest.mark.parametrize("way", RULED)
async def test_it_has_with_the_users_own_rules_too(way, tmp_path, request):
    sequences = [sequence(seed, LENGTH) for seed in range(FIRST, FIRST + ALL)]
    await _compare(Setting(way, "memory", tmp_path, request, ruled=True), sequences)


async def _compare(setting: Setting, sequences: list[Sequence]) -> None:
    """Fail at the first sequence whose outcome is not what the engine alone says."""
    reference = replace(setting, way="engine alone", kind="memory", directory=_made(setting.directory / "reference"))
    known = setting.ruled, tuple(sequences)
    expected = _expected.get(known)
    if expected is None:
        expected = _expected[known] = await reference.stories(sequences)
    ways.CountedHits.answered = 0
    ways.CountedMisses.spared = 0

    found = await setting.stories(sequences)

    for one, wanted, story in zip(sequences, expected, found, strict=True):
        if difference := setting.expected(wanted).difference(story):
            pytest.fail(await _shown(setting, reference, one, difference), pytrace=False)


async def _shown(setting: Setting, reference: Setting, whole: Sequence, difference: str) -> str:
    """The difference, and the shortest sequence that makes one."""
    shortest, told = whole, difference
    tries, size = 0, len(whole.steps) // 2
    while size and tries < TRIES:
        for start in range(0, len(shortest.steps), size):
            shorter = replace(shortest, steps=shortest.steps[:start] + shortest.steps[start + size :])
            tries += 1
            if shorter.steps and (again := await _difference(setting, reference, shorter)):
                shortest, told = shorter, again
                break
        else:
            size //= 2
    asked = {step.path for step in shortest.steps}
    shortest = replace(shortest, resources=tuple(one for one in shortest.resources if one.path in asked))
    return f"{setting.way} over {setting.kind}: {told}\n\n{shortest.told()}"


async def _difference(setting: Setting, reference: Setting, one: Sequence) -> str:
    [expected] = await reference.stories([one])
    [found] = await setting.stories([one])
    return setting.expected(expected).difference(found)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
