"""Messages that no well-meaning client or server sends: nothing breaks, little is kept, and the cache fails towards asking.

What would cost more than it is worth is not read, or not kept; no test measures time, but each bound that keeps it short.
"""

from dataclasses import replace

import pytest

from sluicegate.core.caching.decisions import CacheOptions, Forward, Hit, Multipart, PassOn, Reason, Revalidate, Store
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.facts import facts_of
from sluicegate.core.caching.fields.directives import MAX_LENGTH, MAX_SECONDS, UNREAD, directives_of, parse_date
from sluicegate.core.caching.parts import ranges
from sluicegate.core.caching.policy import judge, look_up
from sluicegate.core.caching.selection import alternatives, vary
from sluicegate.core.caching.selection.variants import MAX_STORED, crowded_out
from sluicegate.core.caching.validation import conditions
from sluicegate.core.http import FieldList, Origin, RequestHead, ResponseHead
from support.cache_policy import FRESH, NOW, OPTIONS, date, stored
from support.engine import engine_bench
from support.messages import request, response
from support.origin import ScriptedOrigin, answer
from support.origin import response as origin_response

ORIGIN = Origin("http", "example.com", 80)
HUGE = 64 * 1024
"""What a header section may be in all."""


def asked(*fields: tuple[bytes, bytes]) -> RequestHead:
    return RequestHead("GET", ORIGIN, "/a", list(fields))


def judged(told: FieldList, *, by: RequestHead | None = None, options: CacheOptions = OPTIONS) -> Store | PassOn:
    """What is decided of a response to a first request."""
    plan = look_up(by or asked(), [], options, NOW)
    assert isinstance(plan, Forward)
    outcome = judge(plan, ResponseHead(200, b"OK", told), options, request_time=NOW, response_time=NOW)
    assert isinstance(outcome, Store | PassOn)
    return outcome


def numbered(pattern: bytes) -> bytes:
    """A list that is as long as a header section may be, with 10,000 members and more if they are short."""
    members, length = [], 0
    while length < HUGE:
        members.append(pattern % len(members))
        length += len(members[-1]) + 1
    return b",".join(members)


@pytest.mark.parametrize(
    "control",
    [
        b"max-age=60," + numbered(b"d%d"),
        b"max-age=60," * (HUGE // 11),
        b"max-age=60, private=" + b'"%s"' % numbered(b"f%d"),
        b'max-age=60, x="' + b"\\" * HUGE,
        b"max-age=60," + b'"' * HUGE,
        b"max-age=" + b"9" * HUGE,
        b"max-age=60" + b" " * HUGE,
    ],
    ids=["10,000 directives", "one directive", "fields", "backslashes", "quotes", "digits", "spaces"],
)
def test_directives_that_nobody_means_are_not_read_and_forbid_to_store(control):
    outcome = judged([(b"Date", date()[6:].encode()), (b"Cache-Control", control), (b"ETag", b'"a"')])

    assert isinstance(outcome, PassOn)
    assert outcome.reason is Reason.NO_STORE
    assert directives_of((control,)) is UNREAD


def test_directives_in_many_lines_count_together():
    lines = [(b"Cache-Control", b"max-age=60")] * (MAX_LENGTH // 10 + 1)

    assert judged(lines).reason is Reason.NO_STORE


def test_directives_up_to_the_bound_are_read():
    lines = [(b"Cache-Control", b"max-age=60".ljust(MAX_LENGTH, b","))]

    assert isinstance(judged(lines), Store)


def test_a_request_with_such_directives_is_asked_for_and_leaves_nothing():
    request = asked((b"Cache-Control", numbered(b"d%d")))

    assert isinstance(look_up(request, [stored(f"{date()}\n{FRESH}")], OPTIONS, NOW), Forward)
    assert judged([(b"Cache-Control", b"max-age=60")], by=request).reason is Reason.REQUEST_NO_STORE


@pytest.mark.parametrize("value", [numbered(b"d%d"), b"a=(" + b"1 " * HUGE + b")", b'a="' + b"\\\\" * HUGE + b'"'])
def test_targeted_fields_are_held_to_the_same_bound(value):
    options = CacheOptions(targeted=(b"cdn-cache-control",))
    told = [(b"Cache-Control", b"max-age=60"), (b"CDN-Cache-Control", value)]

    assert judged(told, options=options).reason is Reason.NO_STORE


@pytest.mark.parametrize("control", [b"max-age=60\x00", b"\x00", b"max-age=\xff\xfe", b"max\x00-age=60", b"=", b",,,"])
def test_odd_bytes_in_directives_make_them_stale_or_none(control):
    outcome = judged([(b"Cache-Control", control), (b"ETag", b'"a"')])

    assert isinstance(outcome, Store)
    assert facts_of(outcome.entry, OPTIONS).ttl(NOW) <= 0


@pytest.mark.parametrize(
    "value",
    [
        b"Fri, 99 Jan 2027 08:00:00 GMT",
        b"Fri, 00 Jan 2027 08:00:00 GMT",
        b"Fri, 30 Feb 2027 08:00:00 GMT",
        b"Fri, 15 Jan 0000 08:00:00 GMT",
        b"Fri, 15 Jan 99999 08:00:00 GMT",
        b"Fri, 15 Jan 2027 99:99:99 GMT",
        b"Fri, 15 Jan 2027 08:00:00 +9999",
        b"Fri, 15 Jan 2027 08:00:00 GMT" * 2,
        b"Fri, 15 Jan " + b"9" * HUGE + b" 08:00:00 GMT",
        "Fri, 15 Jan ２０２７ 08:00:00 GMT".encode(),
        b"\x00",
        b"-1",
        b" " * HUGE,
        b"",
    ],
)
def test_an_absurd_date_is_none(value):
    told = [(b"Date", value), (b"Expires", value), (b"Last-Modified", value)]

    assert parse_date(value) is None
    assert judged(told).reason is Reason.NO_USE
    assert not conditions.unmodified_for(asked((b"If-Modified-Since", value)), stored(f"{date()}\n{FRESH}"))


@pytest.mark.parametrize(("year", "fresh"), [(1, False), (1969, False), (9999, True)])
def test_the_ends_of_time_are_dates(year, fresh):
    told = f"{date()}\nExpires: Fri, 01 Jan {year:04} 00:00:00 GMT\nETag: x"

    assert (facts_of(stored(told), OPTIONS).ttl(NOW) > 0) is fresh


@pytest.mark.parametrize("age", ["9" * HUGE, f"{2**64}", f"{MAX_SECONDS}"])
def test_an_age_beyond_measure_is_the_greatest(age):
    entry = stored(f"{date()}\nCache-Control: max-age={age[:20]}\nETag: x\nAge: {age}")

    assert facts_of(entry, OPTIONS).age(NOW) == MAX_SECONDS
    assert isinstance(look_up(request(), [entry], OPTIONS, NOW), Revalidate)


def test_a_vary_with_more_members_than_a_request_is_searched_for_varies_by_anything():
    names = b",".join(b"x-%d" % number for number in range(vary.MAX_NAMES))

    assert isinstance(judged([(b"Cache-Control", b"max-age=60"), (b"Vary", names)]), Store)
    for told in ([(b"Vary", names + b",x")], [(b"Vary", names), (b"vary", b"x")], [(b"Vary", numbered(b"x%d"))]):
        assert judged([(b"Cache-Control", b"max-age=60"), *told]).reason is Reason.VARIES_ALWAYS


def test_a_vary_whose_names_come_late_is_not_taken_for_one_that_names_nothing():
    told = [(b"Cache-Control", b"max-age=60"), (b"Vary", b"," * vary.MAX_NAMES + b"cookie, accept")]

    assert judged(told).reason is Reason.VARIES_ALWAYS


@pytest.mark.parametrize("name", [b"accept-language", b"accept", b"accept-encoding", b"x-anything"])
def test_a_request_field_as_long_as_may_be_is_compared_as_it_stands(name):
    value = numbered(b"a%d;q=0.1")
    told = [(b"Cache-Control", b"max-age=60"), (b"Vary", name), (b"Content-Language", b"a1")]
    outcome = judged(told, by=asked((name, value)))
    assert isinstance(outcome, Store)
    entry = replace(outcome.entry, id="1")

    assert isinstance(look_up(asked((name, value)), [entry], OPTIONS, NOW), Hit)
    assert not isinstance(look_up(asked((name, value + b"x")), [entry], OPTIONS, NOW), Hit)
    assert alternatives.acceptable([value]) == frozenset()


def test_ten_thousand_fields_are_stored_in_order():
    told = [(b"Cache-Control", b"max-age=60"), (b"Date", date()[6:].encode())]
    told += [(b"X-%d" % number, b"") for number in range(10_000)]

    outcome = judged(told)

    assert isinstance(outcome, Store)
    assert outcome.entry.response.fields == told


def test_ten_thousand_connection_options_are_all_heeded():
    hidden = [(b"X-%d" % number, b"") for number in range(10_000)]
    told = [(b"Cache-Control", b"max-age=60"), (b"Connection", b",".join(name for name, _ in hidden)), *hidden]

    outcome = judged(told)

    assert isinstance(outcome, Store)
    assert [name for name, _ in outcome.entry.response.fields] == [b"Cache-Control", b"Date"]


@pytest.mark.parametrize(("last", "status"), [('"mine"', 304), ('"other"', 200)])
def test_thousands_of_tags_are_all_compared(last, status):
    entry = stored(f'{date()}\n{FRESH}\nETag: "mine"')
    tags = numbered(b'W/"t%d"') + b", " + last.encode()

    found = look_up(asked((b"If-None-Match", tags)), [entry], OPTIONS, NOW)

    assert isinstance(found, Hit)
    assert found.head.status == status


@pytest.mark.parametrize("tags", [b'"' * HUGE, b'W/"' * HUGE, b"," * HUGE, b"\x00" * HUGE, b"W/" * HUGE])
def test_tags_that_are_none_match_nothing(tags):
    entry = stored(f'{date()}\n{FRESH}\nETag: "mine"')

    found = look_up(asked((b"If-None-Match", tags)), [entry], OPTIONS, NOW)

    assert isinstance(found, Hit)
    assert found.head.status == 200


@pytest.mark.parametrize(
    "wanted",
    [
        b"bytes=" + b",".join(b"%d-%d" % (2 * number, 2 * number) for number in range(8_000)),
        b"bytes=" + b"0-," * 20_000,
        b"bytes=" + b"1" * HUGE + b"-",
        b"bytes=-" + b"9" * HUGE,
        b"bytes=" + b" " * HUGE + b"0-0 x",
        b"bytes=0-0\x00",
        b"bytes=" + b"," * HUGE,
        b"\xff=0-0",
    ],
)
def test_thousands_of_ranges_and_such_are_ignored(wanted):
    entry = replace(stored(f'{date()}\n{FRESH}\nETag: "mine"'), body_length=100_000)

    found = look_up(asked((b"Range", wanted)), [entry], OPTIONS, NOW)

    assert isinstance(found, Hit)
    assert (found.head.status, found.span, found.multipart) == (200, None, None)


def test_no_request_is_answered_with_more_bytes_than_there_are_and_their_headings():
    listed = b"bytes=" + b",".join(b"%d-%d" % (number, number) for number in range(0, 32, 2))

    parts = ranges.wanted_parts(asked((b"Range", listed)), 1000, response(FRESH))
    assert isinstance(parts, tuple)
    _, body = ranges.multipart([], parts, 1000, "seed")

    assert isinstance(body, Multipart)
    assert sum(span.end - span.start for _, span in body.parts) == 16


def test_a_crowd_of_variants_gives_way_to_the_next_from_the_oldest_on():
    crowd = [StoredEntry(f"{age}", asked(), response(), NOW - age, NOW - age) for age in range(MAX_STORED + 2)]

    assert crowded_out(crowd[: MAX_STORED - 1]) == []
    assert crowded_out(crowd) == [f"{MAX_STORED + 1}", f"{MAX_STORED}", f"{MAX_STORED - 1}"]


async def test_a_thousand_variants_of_one_url_leave_as_many_as_may_be_and_all_are_answered():
    def reply(seen):
        return origin_response(
            body=seen.get("x-kind").encode(), fields=[("Cache-Control", "max-age=60"), ("Vary", "X-Kind")]
        )

    async with ScriptedOrigin(answer(reply)) as origin, engine_bench() as bench:
        url = f"{origin.url}/a"
        for number in range(1000):
            told = await bench.ask(url, fields=[(b"X-Kind", b"%d" % number)])
            assert told.body == b"%d" % number
        again = await bench.ask(url, fields=[(b"X-Kind", b"999")])
        stored_ones, _ = bench.store.stats()

    assert again.call.cache == "hit"
    assert stored_ones == MAX_STORED
    assert len(origin.log) == 1000


async def test_bombs_of_all_kinds_go_through_the_engine_and_come_back_whole():
    bombs = [
        ("Cache-Control", numbered(b"d%d")[:40_000].decode()),
        ("Vary", numbered(b"v%d")[:40_000].decode()),
        ("ETag", '"' * 40_000),
        ("Expires", "9" * 40_000),
        ("X-Bomb", "x" * 60_000),
        ("Content-Range", "bytes " + "9" * 40_000),
    ]
    told = iter(bombs)
    async with (
        ScriptedOrigin(answer(lambda _: origin_response(body=b"whole", fields=[next(told)]))) as origin,
        engine_bench() as bench,
    ):
        for name, value in bombs:
            whole = await bench.ask(f"{origin.url}/{name}", fields=[(b"If-None-Match", b'"x", ' * 5_000)])
            assert (whole.status, whole.body, whole.get(name)) == (200, b"whole", value)
