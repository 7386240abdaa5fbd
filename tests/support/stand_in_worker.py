"""A stand-in for a worker process: accepts nobody, and does what the variable STAND_IN_WORKER says.

`good` obeys; `silent` obeys but never reports; `fails` says that it cannot start; `dies` ends at once; `deaf` ends only
when killed; `once DIRECTORY` is good the first time, fails the second and is good again from then on.
"""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from sluicegate.workers.channel import Channel
from sluicegate.workers.messages import Accepting, AskReport, Configure, Configured, Drain, EndNow, Failed, Report

STATUS = {"totals": {"requests": 1}}


async def main(connected: socket.socket) -> int:
    channel = await Channel.over(connected)
    assert isinstance(await channel.receive(), Configure)
    plan, _, directory = os.environ["STAND_IN_WORKER"].partition(" ")
    if plan == "once":
        lives = len(list(Path(directory).iterdir()))
        Path(directory, str(lives)).touch()
        plan = "fails" if lives == 1 else "good"
    if plan == "dies":
        return 3
    if plan == "fails":
        channel.send(Failed("There is no room.", "Make some."))
        await channel.flush()
        return 2
    if plan == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel.send(Accepting())
    while (order := await channel.receive()) is not None:
        match order:
            case AskReport() if plan != "silent":
                channel.send(Report(STATUS, [], 0, 0))
            case Configure():
                channel.send(Configured("" if plan == "good" else "it does not like it"))
            case Drain() | EndNow() if plan != "deaf":
                channel.send(Report({"totals": {"requests": 2}}, [], 0, 0, last=True))
                await channel.flush()
                return 0
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(socket.socket(fileno=int(sys.argv[1])))))
