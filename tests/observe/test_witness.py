from sluicegate.core.events import CacheDecided, Level, Notice, Stage, UpstreamAnswered, UpstreamFailed
from sluicegate.observe.witness import Witness


def notice(message, level=Level.WARNING):
    return Notice(Stage.CACHE, "x", level, message)


def test_warnings_are_kept_once_each_and_chatter_not_at_all():
    witness = Witness()
    for event in (notice("a"), notice("a"), notice("b", Level.ERROR), notice("c", Level.INFO)):
        witness.emit(event)

    assert witness.warnings == ["a", "b"]


def test_no_flood_of_warnings_is_kept():
    witness = Witness()
    for number in range(1000):
        witness.emit(notice(str(number)))

    assert len(witness.warnings) == 20


def test_the_origins_last_answer_to_a_request_is_known():
    witness = Witness()
    witness.emit(UpstreamAnswered("1", "h", 500, 0.1, reused=False))
    witness.emit(UpstreamAnswered("1", "h", 200, 0.1, reused=True))
    witness.emit(UpstreamAnswered("2", "h", 404, 0.1, reused=True))

    assert witness.answered["1"].status == 200
    assert witness.answered["2"].status == 404


def test_answers_are_not_kept_without_end():
    witness = Witness()
    for number in range(1000):
        witness.emit(UpstreamAnswered(str(number), "h", 200, 0.1, reused=True))

    assert list(witness.answered) == [str(number) for number in range(980, 1000)]


def test_the_caches_decision_is_left_with_the_call():
    assert not Witness().wants(CacheDecided)


def test_how_the_way_to_an_origin_failed_is_known():
    witness = Witness()
    witness.emit(UpstreamFailed("1", "h", "dns_error", "Nobody knows h."))

    assert witness.wants(UpstreamFailed)
    assert witness.failed["1"].message == "Nobody knows h."
