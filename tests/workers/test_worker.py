import asyncio
import socket
from dataclasses import replace

import pytest

from sluicegate.workers import worker
from sluicegate.workers.channel import Channel
from sluicegate.workers.messages import Accepting, AskReport, Configure, Configured, Drain, Failed, Report


@pytest.fixture
async def begin(listening, monkeypatch):
    """A worker in this process, on a socket of its own."""
    monkeypatch.setattr(worker.collector, "rest", lambda: None)
    ours, theirs = socket.socketpair()
    channel = await Channel.over(ours)
    yield channel, asyncio.get_running_loop().create_task(worker.work(theirs, listening.dup()))
    channel.close()


async def test_it_accepts_reports_takes_another_configuration_and_says_goodbye(begin, loaded, listening):
    channel, life = begin
    channel.send(Configure(loaded))
    assert await channel.receive() == Accepting()
    reader, writer = await asyncio.open_connection(*listening.getsockname())

    other = loaded.settings.model_copy(update={"header_limit": 2048})
    channel.send(Configure(replace(loaded, settings=other, checksum="other")))
    assert await channel.receive() == Configured()
    channel.send(AskReport())
    report = await channel.receive()
    assert isinstance(report, Report)
    assert (report.status["config"]["checksum"], report.connections, report.last) == ("other", 1, False)
    channel.send(Drain())

    assert (await channel.receive()).last
    assert await channel.receive() is None
    assert await asyncio.wait_for(life, 20) == 0
    assert await reader.read() == b""
    writer.close()


async def test_what_does_not_take_effect_is_told_and_it_serves_on(begin, loaded):
    channel, life = begin
    channel.send(Configure(loaded))
    assert await channel.receive() == Accepting()

    channel.send(Configure(None))
    assert "AttributeError" in (await channel.receive()).error
    assert not life.done()
    channel.send(Drain())
    await asyncio.wait_for(life, 20)


async def test_it_does_not_outlive_its_supervisor(begin, loaded):
    channel, life = begin
    channel.send(Configure(loaded))
    assert await channel.receive() == Accepting()

    channel.close()

    assert await asyncio.wait_for(life, 20) == 0


async def test_a_supervisor_that_is_gone_before_it_said_anything_is_the_end(begin):
    channel, life = begin

    channel.close()

    assert await asyncio.wait_for(life, 20) == 0


async def test_why_it_cannot_start_is_told(begin, loaded):
    loaded.settings.state_dir.mkdir()
    (loaded.settings.state_dir / "permits.sqlite3").mkdir()
    channel, life = begin

    channel.send(Configure(loaded))

    failed = await channel.receive()
    assert isinstance(failed, Failed)
    assert "permits.sqlite3" in failed.message
    assert await asyncio.wait_for(life, 20) == worker.COULD_NOT_START
