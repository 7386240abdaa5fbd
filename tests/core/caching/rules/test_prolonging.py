"""For how long a rule makes something fresh, and never to whom."""

import pytest

from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import control_of
from sluicegate.core.caching.rules.overrides import Overrides
from sluicegate.core.caching.rules.prolonging import ruled_lifetime, worth_storing
from sluicegate.core.caching.storing import kept_request
from support.cache_policy import NOW, date
from support.messages import request, response

SHARED, PRIVATE = CacheOptions(), CacheOptions(shared=False)
COOKIE = "Cookie: session=1"
AUTHORIZED = "Authorization: Basic x"


def lifetime(said, asked="", *, ttl=600.0, options=SHARED, status=200):
    saying = response(f"{date()}\n{said}", status=status)
    entry = StoredEntry("1", kept_request(request(headers=asked), saying, options), saying, NOW, NOW)
    return ruled_lifetime(entry, Overrides(ttl_s=ttl), control_of(saying, ()), options)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Cache-Control: max-age=1",
        "Cache-Control: max-age=99999",
        "Cache-Control: no-cache",
        "Cache-Control: max-age=0, must-revalidate",
        "Cache-Control: s-maxage=0",
        "Expires: 0",
        f"Last-Modified: {date(-1)[6:]}",
    ],
)
@pytest.mark.parametrize("options", [SHARED, PRIVATE])
def test_the_rules_time_counts_whatever_the_response_says(said, options):
    assert lifetime(said, options=options) == 600


def test_it_begins_when_the_response_came_however_old_it_was_then():
    assert lifetime("Age: 5000") == 5600
    assert lifetime("Age: 5000\nCache-Control: max-age=6000", ttl=0.0) == 5000


def test_part_of_a_second_counts_as_one():
    assert lifetime("", ttl=0.2) == 1


@pytest.mark.parametrize("status", [400, 404, 410, 501, 503])
def test_errors_go_by_their_own_word(status):
    assert lifetime("Cache-Control: max-age=5", status=status) is None


PERSONAL = [(COOKIE, ""), (AUTHORIZED, ""), ("", "Set-Cookie: session=1"), (COOKIE, "Set-Cookie: session=1")]
ASKED_EACH_TIME = [
    "",
    "Cache-Control: no-cache",
    "Cache-Control: max-age=0, must-revalidate",
    "Cache-Control: no-cache, max-age=5000",
    "Expires: 0",
    f"Last-Modified: {date(-100_000)[6:]}",
]


@pytest.mark.parametrize(("asked", "set_cookie"), PERSONAL)
@pytest.mark.parametrize("said", ASKED_EACH_TIME)
def test_what_may_be_one_persons_own_is_not_prolonged_for_others(asked, set_cookie, said):
    """The origin lets nobody have it unasked: asked, it may well give the next one something else."""
    ttl = 20_000.0
    assert lifetime(f"{said}\n{set_cookie}", asked, ttl=ttl) is None
    assert lifetime(f"{said}\n{set_cookie}", asked, ttl=ttl, options=PRIVATE) == ttl


@pytest.mark.parametrize(("asked", "set_cookie"), PERSONAL)
def test_what_anybody_may_have_unasked_is_prolonged(asked, set_cookie):
    assert lifetime(f"Cache-Control: public, max-age=1\n{set_cookie}", asked) == 600


def test_what_a_vary_on_cookies_keeps_to_one_person_is_prolonged_for_them():
    assert lifetime("Vary: Cookie\nCache-Control: no-cache", COOKIE) == 600
    assert lifetime("Vary: Cookie\nCache-Control: no-cache", f"{COOKIE}\n{AUTHORIZED}") is None


def test_shortening_is_always_allowed():
    modified = f"Last-Modified: {date(-100_000)[6:]}"
    assert lifetime(modified, COOKIE, ttl=60.0) == 60
    assert lifetime("Cache-Control: no-cache, max-age=5000", COOKIE, ttl=60.0) is None


def worth(said, asked="", *, options=SHARED, status=200, **rule):
    saying = response(said, status=status)
    ruled = CacheOptions(shared=options.shared, rule=Overrides(**rule))
    return worth_storing(request(headers=asked), saying, control_of(saying, ()), ruled, NOW)


def test_force_stores_what_says_nothing_and_a_ttl_what_says_too_little():
    assert worth("", ttl_s=60.0, force=True) is Reason.RULE_STORE
    assert worth("", ttl_s=60.0) is Reason.NO_USE
    for said in ("Cache-Control: max-age=0", "Expires: 0", "Cache-Control: no-cache"):
        assert worth(said, ttl_s=60.0) is Reason.RULE_STORE


@pytest.mark.parametrize("rule", [{}, {"ttl_s": 0.0}, {"immutable": True}])
def test_nothing_else_makes_anything_worth_storing(rule):
    assert worth("Cache-Control: max-age=0", **rule) is Reason.NO_USE


@pytest.mark.parametrize("status", [404, 501])
def test_errors_are_not_stored_by_force(status):
    assert worth("", status=status, ttl_s=60.0, force=True) is Reason.NO_USE


@pytest.mark.parametrize(("asked", "set_cookie"), PERSONAL)
@pytest.mark.parametrize("said", ["", "Cache-Control: no-cache", "Cache-Control: max-age=0"])
def test_what_may_be_one_persons_own_is_stored_for_nobody_else(asked, set_cookie, said):
    forced = {"ttl_s": 60.0, "force": True}
    assert worth(f"{said}\n{set_cookie}", asked, **forced) is Reason.RULE_PERSONAL
    assert worth(f"{said}\n{set_cookie}", asked, options=PRIVATE, **forced) is Reason.RULE_STORE
