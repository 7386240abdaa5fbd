"""Names for requests: unique on a machine for long enough to grep for, short enough to read aloud."""

import itertools
import secrets
from collections.abc import Callable


def request_ids() -> Callable[[], str]:
    """A source of ids; its prefix is random, so that a restart does not begin again."""
    prefix, numbers = secrets.token_hex(3), itertools.count(1)
    return lambda: f"{prefix}-{next(numbers):x}"
