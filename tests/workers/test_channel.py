import asyncio
import socket

from sluicegate.config.load import load_settings
from sluicegate.workers.channel import Channel
from sluicegate.workers.messages import AskReport, Configure, Failed


async def pair():
    one, other = socket.socketpair()
    return await Channel.over(one), await Channel.over(other)


async def test_messages_arrive_whole_and_in_order():
    one, other = await pair()
    long = Failed("x" * 500_000, "")
    for message in (AskReport(), long, AskReport()):
        one.send(message)

    assert [await other.receive() for _ in range(3)] == [AskReport(), long, AskReport()]
    one.close()
    other.close()


async def test_a_configuration_arrives_with_its_secrets_and_networks(tmp_path):
    loaded = load_settings(
        environ={
            "SLUICEGATE_STATE_DIR": str(tmp_path),
            "SLUICEGATE_UPSTREAM_PROXY": "http://user:s3cret@proxy.example:8080",
            "SLUICEGATE_ACCESS__ALLOW": "10.0.0.0/8",
        }
    )
    one, other = await pair()
    one.send(Configure(loaded))

    arrived = await other.receive()

    assert arrived.loaded == loaded
    assert arrived.loaded.settings.upstream_proxy.get_secret_value() == "http://user:s3cret@proxy.example:8080"
    one.close()
    other.close()


async def test_the_end_of_the_other_process_is_the_end_of_its_messages():
    one, other = await pair()
    one.send(AskReport())
    await one.flush()
    one.close()

    assert await other.receive() == AskReport()
    assert await other.receive() is None
    other.send(Failed("nobody listens", ""))
    other.close()


async def test_a_message_cut_off_by_a_kill_is_none():
    ours, theirs = socket.socketpair()
    channel = await Channel.over(theirs)
    ours.sendall(b"\0\0\0\x10half")
    ours.close()

    assert await asyncio.wait_for(channel.receive(), 10) is None
    channel.close()
