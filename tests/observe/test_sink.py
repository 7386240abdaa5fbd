from sluicegate.core.events import Level, Notice, Stage
from sluicegate.observe.bridge import LogBridge
from sluicegate.observe.sink import FanOut

EVENT = Notice(Stage.LIFECYCLE, "started", Level.INFO, "")


class Listener:
    def __init__(self) -> None:
        self.events = []

        self.wanted = True

    def handler(self, _kind):
        return self.emit if self.wanted else None

    def wants(self, _kind):
        return self.wanted

    def emit(self, event) -> None:
        self.events.append(event)


class Broken(Listener):
    def emit(self, _event) -> None:
        raise RuntimeError("broken sink")


def test_each_sink_gets_each_event():
    first, second = Listener(), Listener()

    FanOut(first, second).emit(EVENT)

    assert first.events == second.events == [EVENT]


def test_a_sink_that_raises_keeps_the_event_from_nobody_and_is_reported_once():
    listener = Listener()
    sink = FanOut(Broken(), listener)
    with LogBridge(sink):
        sink.emit(EVENT)
        sink.emit(EVENT)

    reports = [event for event in listener.events if event is not EVENT]
    assert len(listener.events) == 3
    assert [report.message for report in reports] == ["Broken.emit failed on Notice"]
    assert "broken sink" in reports[0].fields["traceback"]


def test_who_wants_an_event_is_asked_again_on_a_refresh():
    listener = Listener()
    listener.wanted = False
    sink = FanOut(listener)
    sink.emit(EVENT)
    assert listener.events == []

    listener.wanted = True
    sink.refresh()
    sink.emit(EVENT)
    assert listener.events == [EVENT]


def test_an_event_that_nobody_wants_need_not_be_made():
    first, second = Listener(), Listener()
    first.wanted = second.wanted = False
    sink = FanOut(first, second)
    assert not sink.wants(Notice)

    second.wanted = True
    assert not sink.wants(Notice)
    sink.refresh()
    assert sink.wants(Notice)
