from sluicegate.workers.backoff import Backoff


def test_the_first_death_costs_nothing_and_a_crash_loop_turns_slowly():
    backoff = Backoff()

    delays = [backoff.next_delay_s(0.5) for _ in range(8)]

    assert delays[0] == 0
    assert delays == sorted(delays)
    assert delays[1] > 0
    assert delays[-1] == 10


def test_a_worker_that_lived_long_is_replaced_at_once_again():
    backoff = Backoff()
    for _ in range(5):
        backoff.next_delay_s(1)

    assert backoff.next_delay_s(3600) == 0
    assert backoff.next_delay_s(1) > 0
