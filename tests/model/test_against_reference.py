"""The cache against the reference: random sequences of requests, answers and waits, each step judged by RFC 9111.

The sequences are the same in every run. More and other ones: `SLUICEGATE_EXAMPLES=20000 make test ARGS=tests/model`.
"""

import asyncio
import os

import pytest
from hypothesis import HealthCheck, given, settings

from model.plans import Step, sequences
from model.reference import Violation
from model.trial import Trial

_ASKED_FOR = os.environ.get("SLUICEGATE_EXAMPLES")
EXAMPLES = int(_ASKED_FOR or 350)

_examples = settings(
    max_examples=EXAMPLES,
    derandomize=_ASKED_FOR is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "private"])
def test_the_cache_does_what_the_rfc_asks(shared):
    @_examples
    @given(sequences())
    def told(steps):
        asyncio.run(tell(steps, shared=shared))

    told()


async def tell(steps: list[Step], *, shared: bool) -> None:
    """A sequence, from an empty cache on."""
    trial = Trial(shared=shared)
    for number, step in enumerate(steps):
        try:
            await trial.run(step)
        except Violation as violation:
            told = "\n".join(f"  {number}. {step}" for number, step in enumerate(steps[: number + 1]))
            raise Violation(f"{violation}\n{told}") from None
