from sluicegate.errors import PermitStoreError
from sluicegate.gate import refusals
from support.gatekit import limit

TEN = limit("10/second 5000/hour", name="*.example.org", max_wait_s=60, max_queue=100)


def test_a_refusal_says_which_limit_what_wait_and_what_to_do():
    error = refusals.wait_too_long("a.example.org", TEN, 72.4)

    assert "a.example.org is limited to 10/second 5000/hour" in str(error)
    assert "'*.example.org'" in str(error)
    assert "72.4 s away, and a request may wait 60 s in all (max_wait)" in str(error)
    assert "Retry-After" in error.advice
    assert error.fields() == [(b"Retry-After", b"73")]
    assert error.members() == {"limit": "*.example.org", "retry_after_s": 72.4}


def test_each_refusal_has_its_word_for_events():
    errors = [
        refusals.queue_full("a", TEN, 1.0),
        refusals.wait_too_long("a", TEN, 1.0),
        refusals.store_unavailable(TEN, PermitStoreError("gone")),
        refusals.stopping(TEN),
    ]

    assert [refusals.reason(error) for error in errors] == ["queue_full", "max_wait", "unavailable", "unavailable"]
    assert [error.status for error in errors] == [429, 429, 503, 503]


def test_an_unusable_store_passes_on_what_to_do():
    error = refusals.store_unavailable(TEN, PermitStoreError("the file is damaged", advice="Move it away."))

    assert "the file is damaged" in str(error)
    assert error.advice == "Move it away."
