from sluicegate.core.caching.decisions import Reason
from sluicegate.core.caching.freshness import Source
from sluicegate.core.caching.wording import BY_TOKEN, LIFETIMES, SENTENCES


def test_each_reason_has_a_sentence_of_its_own():
    assert set(SENTENCES) == set(Reason)
    assert len(set(SENTENCES.values())) == len(Reason)
    assert all(text[0].isupper() and text.endswith(".") for text in SENTENCES.values())


def test_each_source_of_a_lifetime_has_words():
    assert set(LIFETIMES) == set(Source)


def test_a_reason_is_found_by_the_word_that_the_log_uses():
    assert len(BY_TOKEN) == len(Reason)
    assert BY_TOKEN["no-store"] is Reason.NO_STORE
