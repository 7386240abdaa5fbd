import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.limits.model import Limit, Rate
from sluicegate.core.limits.rates import parse_rates
from sluicegate.core.limits.window import CATCH_UP_S, NEVER, algorithm, decide, explain, fits, free, plan, predict

rates_strategy = st.lists(
    st.builds(Rate, st.sampled_from([0.05, 0.1, 1.0, 1.5, 7.0, 60.0]), st.integers(1, 12)), min_size=1, max_size=3
).map(tuple)


class Host:
    """A host's log and state, driven by hand."""

    def __init__(self, rates, start=1_000.0, **options):
        self.limit = Limit("test", parse_rates(rates) if isinstance(rates, str) else rates, **options)
        self.now = start
        self.log = []
        self.state = NEVER

    def nth(self, n):
        return self.log[-n] if n <= len(self.log) else None

    def ask(self, *, queued=False):
        made = plan(self.limit)
        verdict = decide(made, self.nth, self.state, self.now)
        if verdict.admitted:
            self.state = made.after(self.state, self.now, queued=queued)
            self.log.append(self.now)
        return verdict

    def wait_for_permit(self, late_s=0.0):
        """As one who stands in line does: asks, sleeps as told (and a little too long), asks again."""
        while not (verdict := self.ask(queued=True)).admitted:
            self.now += verdict.wait_s + late_s

    def burst(self):
        while self.ask().admitted:
            pass
        return len(self.log)

    def predict(self, ahead):
        return predict(plan(self.limit), self.nth, self.state, self.now, ahead)


def assert_no_window_exceeded(log, rates):
    for rate in rates:
        for first, beyond in zip(log, log[rate.count :], strict=False):
            assert beyond - first > rate.window_s, rate


@given(
    rates_strategy, st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=120), st.none() | st.integers(1, 20)
)
def test_no_window_is_exceeded_whatever_arrives(rates, arrivals, burst):
    host = Host(rates, burst=burst)

    for gap_s, queued in arrivals:
        host.now += gap_s
        host.ask(queued=queued)

    assert_no_window_exceeded(host.log, rates)


@given(rates_strategy, st.lists(st.floats(0, 0.05), min_size=20, max_size=60))
def test_no_window_is_exceeded_by_a_standing_queue_with_late_timers(rates, lateness):
    host = Host(rates)

    for late_s in lateness:
        host.wait_for_permit(late_s)

    assert_no_window_exceeded(host.log, rates)


@given(st.lists(st.tuples(rates_strategy, st.integers(1, 15)), min_size=1, max_size=6))
def test_a_reload_forgets_nothing_that_was_spent(reloads):
    host = Host(reloads[0][0])

    for rates, permits in reloads:
        host.limit = Limit("test", rates)
        before = len(host.log)
        for _ in range(permits):
            host.wait_for_permit()
        for rate in rates:
            for index in range(before, len(host.log)):
                if index >= rate.count:
                    assert host.log[index] - host.log[index - rate.count] > rate.window_s


@pytest.mark.parametrize(
    "text", ["20/second", "10/second", "1/3second", "200/second", "10/100ms", "1000/min", "3/7second"]
)
def test_at_least_97_percent_are_used_while_a_queue_stands(text):
    host = Host(text)
    (rate,) = host.limit.rates
    duration_s = 100 * rate.window_s
    end = host.now + duration_s

    while host.now < end:
        host.wait_for_permit(late_s=0.001)

    used = len(host.log) / (duration_s / rate.window_s * rate.count)
    assert 0.97 <= used <= 1.02
    assert_no_window_exceeded(host.log, host.limit.rates)


def test_an_idle_host_takes_a_burst_of_its_whole_window():
    assert Host("10/second").burst() == 10


def test_a_burst_can_be_bounded():
    assert Host("10/second", burst=3).burst() == 3


def test_a_shorter_window_bounds_the_burst_of_a_longer_one():
    host = Host("5/second 1000/hour")

    assert host.burst() == 5


def test_a_host_that_was_idle_for_part_of_its_window_has_part_of_its_burst():
    host = Host("10/second")
    for _ in range(30):
        host.wait_for_permit()
    before = len(host.log)

    host.now += 0.55

    assert host.burst() - before == 5


def test_permits_are_spread_evenly_while_a_queue_stands():
    host = Host("10/second")
    host.burst()
    for _ in range(30):
        host.wait_for_permit()

    gaps = [after - before for before, after in zip(host.log[10:], host.log[11:], strict=False)]
    assert min(gaps) > 0.1


def test_one_client_that_asks_again_and_again_gets_no_second_burst():
    host = Host("10/second")
    for _ in range(40):
        if not host.ask().admitted:
            host.wait_for_permit()
        host.now += 0.005

    gaps = [after - before for before, after in zip(host.log[10:], host.log[11:], strict=False)]
    assert min(gaps) > 0.1 - CATCH_UP_S


def test_the_fastest_rate_sets_the_pace_and_the_quota_still_holds():
    host = Host("10/second 60/min")
    host.burst()
    for _ in range(55):
        host.wait_for_permit()

    gaps = [after - before for before, after in pairwise(host.log)]
    assert min(gaps[10:]) >= 0.1 - CATCH_UP_S
    assert host.log[59] - host.log[0] < 10, "a quota of a minute does not slow down what it still allows"
    assert host.log[60] - host.log[0] > 60


def test_a_late_timer_does_not_slow_the_queue_down():
    host = Host("50/second")
    start = host.now
    for _ in range(500):
        host.wait_for_permit(late_s=0.004)

    assert host.now - start < 500 / 50 / 0.97


def test_lateness_of_more_than_the_credit_makes_no_burst():
    host = Host("10/second")
    for _ in range(30):
        host.wait_for_permit()
    host.now += 0.5

    assert host.ask(queued=True).admitted
    assert not host.ask(queued=True).admitted


def test_the_verdict_names_the_rate_that_fails():
    host = Host("2/second 3/hour")
    host.burst()
    assert host.ask().rate == Rate(1, 2)

    host.now += 2
    host.burst()
    assert host.ask().rate == Rate(3600, 3)


def test_the_wait_is_exact():
    host = Host("1/3second")
    host.ask()

    wait_s = host.ask().wait_s
    assert wait_s > 3
    host.now += wait_s - 0.001
    assert not host.ask().admitted
    host.now += 0.001
    assert host.ask().admitted


def test_a_faster_limit_counts_at_once():
    host = Host("1/hour")
    host.ask()
    assert host.ask().wait_s > 3_000

    host.limit = Limit("test", parse_rates("10/second"))
    host.now += 0.2
    assert host.ask().admitted


@given(st.lists(st.tuples(st.floats(0, 2e-4), st.booleans()), min_size=50, max_size=400))
def test_a_rate_too_large_for_a_log_is_kept_by_spacing(arrivals):
    """The bound holds for each part of the window: n permits span at least their share of it, less the credit."""
    rate = Rate(3600, 36_000_000)
    host = Host((rate,))
    for gap_s, queued in arrivals:
        host.now += gap_s
        host.ask(queued=queued)

    spacing_s = rate.window_s / rate.count
    for n in (1, 2, 5, 20, 50):
        for first, last in zip(host.log, host.log[n:], strict=False):
            assert last - first >= n * spacing_s - CATCH_UP_S - 1e-9


@pytest.mark.parametrize("rate", [Rate(86_400, 1_000_000), Rate(1, 400_000)])
def test_a_rate_too_large_for_a_log_leaves_room_for_its_credit_in_the_window(rate):
    limit = Limit("test", (rate,))

    assert rate.count * plan(limit).spacing_s - CATCH_UP_S > rate.window_s
    assert plan(limit).idle_credit_s == 0
    assert plan(limit).windows == ()


@given(rates_strategy, st.integers(0, 30), st.integers(0, 40), st.floats(0, 2))
def test_the_predicted_wait_is_never_more_than_the_real_one(rates, spent, ahead, idle_s):
    host = Host(rates)
    for _ in range(spent):
        host.wait_for_permit()
    host.now += idle_s
    predicted, asked_at = host.predict(ahead), host.now

    for _ in range(ahead + 1):
        if not host.ask().admitted:
            host.wait_for_permit()

    assert predicted <= host.now - asked_at + CATCH_UP_S + 1e-6


@pytest.mark.parametrize("text", ["10/second", "1/3second", "60/min", "5/second 20/min"])
@pytest.mark.parametrize("ahead", [0, 1, 9, 10, 25, 61])
def test_the_predicted_wait_is_near_the_real_one(text, ahead):
    host = Host(text)
    predicted, asked_at = host.predict(ahead), host.now

    for _ in range(ahead + 1):
        if not host.ask().admitted:
            host.wait_for_permit()

    assert predicted == pytest.approx(host.now - asked_at, abs=plan(host.limit).spacing_s + CATCH_UP_S)


def test_a_burst_is_predicted_to_wait_for_nothing():
    host = Host("10/second")

    assert [host.predict(ahead) for ahead in (0, 9)] == [0, 0]
    assert host.predict(10) > 1


def test_the_algorithm_is_told():
    large = Rate(86_400, 1_000_000)
    by_name = {
        "none": Limit("a"),
        "sliding-window-log": Limit("b", parse_rates("10/second")),
        "gcra": Limit("c", (large,)),
        "sliding-window-log+gcra": Limit("d", (Rate(1, 100), large)),
    }

    assert {name: algorithm(limit) for name, limit in by_name.items()} == {name: name for name in by_name}
    assert "GCRA with a burst of 1" in explain(by_name["gcra"])
    assert "burst of up to 10" in explain(by_name["sliding-window-log"])
    assert "No rate" in explain(by_name["none"])


def test_a_new_host_waits_for_nothing_at_any_time():
    assert Host("1/hour", start=0.0).ask().admitted
    assert NEVER.last == -math.inf


@pytest.mark.parametrize(
    ("rates", "block", "lease_s"),
    [
        ("10/second", 1, 0),
        ("100/second", 1, 0),
        ("1000/second", 10, 0.005),
        ("100000/second 200/min", 2, 0.005),
        ("1000/100ms", 10, 0.0005),
        ("1000/10ms", 1, 0),
    ],
)
def test_a_block_is_a_small_share_of_every_window(rates, block, lease_s):
    made = plan(Limit("test", parse_rates(rates)))

    assert (made.block, made.lease_s) == (block, pytest.approx(lease_s))


@given(rates_strategy, st.integers(0, 30), st.floats(0, 5), st.booleans())
def test_as_many_as_are_said_to_be_free_can_be_taken(rates, spent, idle_s, queued):
    host = Host(rates)
    for _ in range(spent):
        host.wait_for_permit()
    host.now += idle_s
    made = plan(host.limit)
    if not decide(made, host.nth, host.state, host.now).admitted:
        return

    count = free(made, host.nth, host.state, host.now, queued=queued)

    assert fits(made, host.nth, host.state, host.now, count, queued=queued)
    assert all(host.ask(queued=queued).admitted for _ in range(count))


def test_no_more_fit_than_the_window_has_room_for():
    host = Host("10/second")
    for _ in range(4):
        host.ask()
    made = plan(host.limit)

    assert fits(made, host.nth, host.state, host.now, 6, queued=False)
    assert not fits(made, host.nth, host.state, host.now, 7, queued=False)
    assert not fits(made, host.nth, host.state, host.now, 2, queued=True)
