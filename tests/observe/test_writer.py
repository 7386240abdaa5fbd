import threading

import pytest

from sluicegate.observe.writer import Writer

DEADLINE_S = 20


class Recorder:
    """An output that keeps what it gets; it can be made to fail, and to hang until told otherwise."""

    def __init__(self) -> None:
        self.batches: list[str] = []
        self.error: OSError | None = None
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Semaphore(0)
        self.closed = False

    def write(self, lines: bytes) -> None:
        self.entered.release()
        assert self.open.wait(DEADLINE_S)
        if self.error is not None:
            raise self.error
        self.batches.append(lines.decode())

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def output():
    return Recorder()


@pytest.fixture
def make_writer(output):
    made = []

    def make(**options):
        options = {"interval_s": 3600.0} | options
        made.append(Writer(output, lambda count, reason: f"dropped {count}: {reason}\n", **options))
        return made[-1]

    yield make
    output.open.set()
    for writer in made:
        writer.close()


def test_lines_gather_and_are_written_in_one_go_and_in_order(make_writer, output):
    writer = make_writer()
    for number in range(100):
        writer.put(f"{number}\n")
    assert output.batches == []

    assert writer.flush(DEADLINE_S)

    assert output.batches == ["".join(f"{number}\n" for number in range(100))]


def test_lines_are_written_after_the_interval_without_being_asked_for(make_writer, output):
    make_writer(interval_s=0.01).put("one\n")

    assert output.entered.acquire(timeout=DEADLINE_S)


def test_an_urgent_line_is_written_at_once_with_all_before_it(make_writer, output):
    writer = make_writer()
    writer.put("first\n")

    writer.put("urgent\n", urgent=True)

    assert output.entered.acquire(timeout=DEADLINE_S)
    assert writer.flush(DEADLINE_S)
    assert "".join(output.batches) == "first\nurgent\n"


def test_close_writes_what_is_left_and_closes_the_output(make_writer, output):
    writer = make_writer()
    writer.put("last words\n")

    writer.close()
    writer.close()

    assert output.batches == ["last words\n"]
    assert output.closed


def test_lines_that_could_not_be_written_are_counted_and_reported_when_it_works_again(make_writer, output):
    writer = make_writer()
    output.error = OSError(28, "No space left on device")
    for line in ("a\n", "b\n", "c\n"):
        writer.put(line)
    assert writer.flush(DEADLINE_S)
    assert writer.dropped == 3

    output.error = None
    writer.put("works\n")
    assert writer.flush(DEADLINE_S)
    writer.put("on\n")
    assert writer.flush(DEADLINE_S)

    assert "".join(output.batches) == "dropped 3: No space left on device\nworks\non\n"


def test_drops_are_reported_even_when_nothing_more_is_logged(make_writer, output, monkeypatch):
    monkeypatch.setattr("sluicegate.observe.writer._RETRY_S", 0.01)
    writer = make_writer(interval_s=0.01)
    output.error = OSError(28, "No space left on device")
    writer.put("lost\n")
    assert writer.flush(DEADLINE_S)

    output.error = None
    for _ in range(10_000):
        assert output.entered.acquire(timeout=DEADLINE_S)
        writer.flush(DEADLINE_S)
        if output.batches:
            break

    assert output.batches == ["dropped 1: No space left on device\n"]


def test_an_output_that_hangs_never_holds_up_whoever_logs(make_writer, output):
    writer = make_writer(max_pending=100)
    output.open.clear()
    writer.put("stuck\n", urgent=True)
    assert output.entered.acquire(timeout=DEADLINE_S)

    for _ in range(50):
        writer.put("012345678\n")

    assert not writer.flush(0.01)
    assert writer.dropped == 40
    output.open.set()
    assert writer.flush(DEADLINE_S)
    written = "".join(output.batches)
    assert written.count("012345678\n") == 10
    assert "dropped 40: they came faster than they could be written\n" in written


def test_close_gives_up_on_an_output_that_hangs(make_writer, output):
    writer = make_writer()
    output.open.clear()
    writer.put("stuck\n", urgent=True)
    assert output.entered.acquire(timeout=DEADLINE_S)

    writer.close(timeout_s=0.01)

    assert not output.closed


def test_lines_from_many_threads_all_arrive(make_writer, output):
    writer = make_writer(interval_s=0.001)
    threads = [
        threading.Thread(target=lambda who=who: [writer.put(f"{who} {n}\n") for n in range(500)]) for who in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    writer.close()

    lines = "".join(output.batches).splitlines()
    assert sorted(lines) == sorted(f"{who} {number}" for who in range(8) for number in range(500))


def test_whoever_logs_after_a_pause_wakes_the_writer_again(make_writer, output):
    writer = make_writer(interval_s=0.001)

    for number in range(50):
        writer.put(f"{number}\n")
        while "".join(output.batches).count("\n") <= number:
            assert output.entered.acquire(timeout=DEADLINE_S)

    assert "".join(output.batches) == "".join(f"{number}\n" for number in range(50))


def test_there_is_room_again_once_lines_are_written(make_writer, output):
    writer = make_writer(max_pending=10)
    for _ in range(3):
        writer.put("012345678\n")
        assert writer.flush(DEADLINE_S)

    assert writer.dropped == 0
    assert len(output.batches) == 3


def test_a_line_after_the_end_is_counted_as_lost(make_writer, output):
    writer = make_writer()
    writer.close()

    writer.put("too late\n")

    assert writer.dropped == 1
    assert output.batches == []
