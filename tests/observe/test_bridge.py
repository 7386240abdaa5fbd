import asyncio
import logging

import pytest

from sluicegate import tasks
from sluicegate.core.events import Level, Stage
from sluicegate.observe.bridge import LogBridge


class Listener:
    def __init__(self) -> None:
        self.notices = []

    def emit(self, event) -> None:
        self.notices.append(event)


@pytest.fixture
def heard():
    listener = Listener()
    with LogBridge(listener):
        yield listener.notices


def test_warnings_and_errors_of_libraries_become_internal_notices(heard):
    logging.getLogger("some.library").warning("low on %s", "water")
    logging.getLogger("some.library").critical("on fire")

    assert [(notice.stage, notice.event, notice.level, notice.message) for notice in heard] == [
        (Stage.LIFECYCLE, "internal", Level.WARNING, "low on water"),
        (Stage.LIFECYCLE, "internal", Level.ERROR, "on fire"),
    ]
    assert heard[0].fields == {"logger": "some.library"}


def test_what_is_less_than_a_warning_stays_out(heard, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("some.library").info("chatter")

    assert heard == []


def test_an_exception_brings_its_traceback(heard):
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("some.library").exception("it failed")

    assert "ValueError: boom" in heard[0].fields["traceback"]


async def test_a_background_task_that_fails_is_heard_of(heard):
    async def fail():
        raise RuntimeError("lost")

    await asyncio.wait([tasks.spawn(fail(), name="doomed")])
    await asyncio.sleep(0)

    assert heard[0].message == "task doomed failed"


def test_a_client_that_refuses_our_certificate_is_left_to_the_event_that_names_the_cure(heard):
    mitmproxy = logging.getLogger("mitmproxy.proxy.server")
    mitmproxy.warning("Client TLS handshake failed. The client does not trust the proxy's certificate for h")
    mitmproxy.warning("Server TLS handshake failed. expired", extra={"client": ("10.0.0.1", 5000)})

    assert [(notice.message, notice.fields["client"]) for notice in heard] == [
        ("Server TLS handshake failed. expired", "10.0.0.1")
    ]


def test_a_message_whose_arguments_do_not_fit_is_still_heard():
    listener = Listener()
    record = logging.makeLogRecord(
        {"msg": "%d of %d", "args": (1,), "levelno": logging.WARNING, "name": "some.library"}
    )

    LogBridge(listener).handle(record)

    assert listener.notices[0].message.startswith("%d of %d (not formatted")


def test_after_removal_nothing_is_heard():
    listener = Listener()
    with LogBridge(listener):
        pass

    logging.getLogger("some.library").warning("too late")

    assert listener.notices == []
