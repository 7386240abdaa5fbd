"""Header sections as servers of many kinds are known to send them, and what is decided about each: real_life.txt."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sluicegate.core.caching.decisions import CacheOptions, Forward, Hit, PassOn, Revalidate, Store
from sluicegate.core.caching.facts import facts_of
from sluicegate.core.caching.fields.directives import format_date
from sluicegate.core.caching.policy import judge, look_up
from sluicegate.core.http import RequestHead, ResponseHead
from support.messages import request, response

NOW = 1_800_000_000.0
LATER_S = 5
_FILE = Path(__file__).with_name("real_life.txt")
_WORDS = {Hit: "hit", Revalidate: "revalidate", Forward: "forward"}


@dataclass
class Shape:
    """A request, its response, the next request, and what is expected by the kind of the cache."""

    name: str
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    targeted: tuple[bytes, ...] = ()
    expected: dict[str, str] = field(default_factory=dict)

    def request(self, *, again: bool = False) -> RequestHead:
        (line, *fields) = self.asked
        method, url = line.split()
        return request(url, "\n".join(self.again if again and self.again else fields), method=method)

    def response(self) -> ResponseHead:
        (status, *fields) = self.told
        return response("\n".join(fields), status=int(status))


def _shapes() -> list[Shape]:
    shapes: list[Shape] = []
    for line in _FILE.read_text().splitlines():
        mark, _, rest = line.partition(" ")
        rest = re.sub(r"\{(-?\d+)\}", lambda found: format_date(NOW + int(found[1])).decode(), rest)
        match mark:
            case "==":
                shapes.append(Shape(rest))
            case ">":
                shapes[-1].asked.append(rest)
            case "<":
                shapes[-1].told.append(rest)
            case ">>":
                shapes[-1].again.append(rest)
            case "targeted:":
                shapes[-1].targeted = (rest.encode(),)
            case "both:":
                shapes[-1].expected = {"shared": rest, "private": rest}
            case "shared:" | "private:":
                shapes[-1].expected[mark.removesuffix(":")] = rest
    return shapes


SHAPES = _shapes()


@pytest.mark.parametrize("kind", ["shared", "private"])
@pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])
def test_what_is_decided(shape, kind):
    options = CacheOptions(shared=kind == "shared", targeted=shape.targeted)
    plan = look_up(shape.request(), [], options, NOW)
    assert isinstance(plan, Forward)

    outcome = judge(plan, shape.response(), options, request_time=NOW, response_time=NOW)

    stored = [replace(outcome.entry, id="1", body_length=9492)] if isinstance(outcome, Store) else []
    assert isinstance(outcome, Store | PassOn)
    fresh_s = facts_of(stored[0], options).ttl(NOW) if stored else 0
    found = look_up(shape.request(again=True), stored, options, NOW + LATER_S)
    reason, seconds, second = shape.expected[kind].split()
    assert outcome.reason.token == reason
    assert (fresh_s, _WORDS[type(found)]) == (int(seconds), second)


def test_there_are_enough_of_them():
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) >= 60
