"""All workers: started together, kept alive one by one, ended together."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass

from sluicegate.clock import Clock
from sluicegate.config.load import Loaded
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.core.ports import EventSink
from sluicegate.errors import StartError
from sluicegate.proxy.listener import address_of, listen_on, listen_together
from sluicegate.tasks import spawn
from sluicegate.workers.backoff import Backoff
from sluicegate.workers.life import RESPONSE_S, Life
from sluicegate.workers.messages import Drain, EndNow, Report

_CONFIGURE_S = 10.0
_KILL_AFTER_S = 6.0
_BEYOND_DRAIN_S = 1.0
"""Workers bound their drain themselves; only one that is stuck is still there so long after it."""


@dataclass(slots=True)
class Post:
    """The place of one worker: who has it now, if anybody, and how many had it before."""

    number: int
    listening: socket.socket | None = None
    life: Life | None = None
    restarts: int = 0


class Crew:
    """`count` workers on one address, each with a socket of its own, which outlives it. `retire` gets the last report of each that ended."""

    def __init__(self, count: int, *, clock: Clock, events: EventSink, retire: Callable[[Report], None]) -> None:
        self.posts = [Post(number) for number in range(1, count + 1)]
        self._clock = clock
        self._events = events
        self._retire = retire
        self._keepers: list[asyncio.Task[None]] = []
        self._started = False
        self._over = asyncio.Event()
        self._killing: asyncio.TimerHandle | None = None

    @property
    def lives(self) -> list[Life]:
        """The workers that accept clients, or did so and drain."""
        return [post.life for post in self.posts if post.life is not None and post.life.accepts]

    def listen(self, host: str, port: int) -> str:
        """Take the address, for the workers to come; as it is then. Raises StartError."""
        sockets = listen_together(host, port, len(self.posts))
        for post, listening in zip(self.posts, sockets, strict=True):
            post.listening = listening
        self._address = sockets[0].getsockname()[:2]
        return address_of(sockets[0])

    def stop_listening(self) -> None:
        """Close the sockets as far as they are ours; the workers have theirs."""
        for post in self.posts:
            _close(post)

    async def start(self, loaded: Loaded) -> None:
        """Start all, and wait until they accept. Raises StartError when one does not: that of the first."""
        self._loaded = loaded
        try:
            lives = [await self._begin(post) for post in self.posts]
        except OSError as error:
            raise StartError(f"The workers cannot be started: {error.strerror}.") from error
        self._keepers = [
            spawn(self._keep(post, life), name=f"worker {post.number}")
            for post, life in zip(self.posts, lives, strict=True)
        ]
        for settled in asyncio.as_completed([life.settled for life in lives]):
            if (failure := await settled) is not None:
                raise failure
        self._started = True

    async def configure(self, loaded: Loaded) -> dict[int, str]:
        """Give all another configuration; those who did not take it, by process id, and why."""
        self._loaded = loaded
        answers = {life.pid: life.configure(loaded) for life in self.lives}
        if not answers:
            return {}
        await asyncio.wait(answers.values(), timeout=_CONFIGURE_S)
        told = {pid: "no answer" if not answer.done() else _error(answer) for pid, answer in answers.items()}
        return {pid: why for pid, why in told.items() if why}

    async def refresh(self) -> None:
        """Have all report; those that are stuck keep what they said last."""
        if asked := [life.ask() for life in self.lives]:
            await asyncio.wait(asked, timeout=RESPONSE_S)

    async def end(self, drain_s: float) -> None:
        """Let all finish what is under way, for `drain_s` seconds and a moment, and return when none is left."""
        self._over.set()
        self._order(Drain())
        hurrying = asyncio.get_running_loop().call_later(drain_s + _BEYOND_DRAIN_S, self.cut_short)
        if self._keepers:
            await asyncio.wait(self._keepers)
        hurrying.cancel()
        if self._killing is not None:
            self._killing.cancel()

    def cut_short(self) -> None:
        """Let none wait for what is under way, and kill those that cannot hear; idempotent."""
        self._over.set()
        if self._killing is None:
            self._order(EndNow())
            self._killing = asyncio.get_running_loop().call_later(_KILL_AFTER_S, self._kill)

    def _order(self, order: Drain | EndNow) -> None:
        for post in self.posts:
            if post.life is not None:
                post.life.order(order)

    def _kill(self) -> None:
        for post in self.posts:
            if post.life is not None:
                post.life.kill()

    async def _begin(self, post: Post) -> Life:
        if post.listening is None:
            post.listening = listen_on(*self._address, shared=True)
        post.life = life = await Life.begin(
            post.listening, self._loaded, self._clock, lambda: self._say_started(post, life)
        )
        return life

    async def _keep(self, post: Post, life: Life | None) -> None:
        """Have this post taken until the end."""
        backoff = Backoff()
        while True:
            lived_s, how = 0.0, "it could not be started"
            if life is not None:
                how, lived_s = await life.until_end(), life.lived_s
                if life.report is not None:
                    self._retire(life.report)
            post.life = None
            if self._over.is_set() or not (self._started or life is None or life.settled.result() is None):
                return
            delay_s = backoff.next_delay_s(lived_s)
            if delay_s:
                _close(post)  # or the system would go on giving it connections that nobody takes
            self._say_died(post, life, how, delay_s)
            await self._pause(delay_s)
            if self._over.is_set():
                return
            post.restarts += 1
            life = await self._try_again(post)

    async def _try_again(self, post: Post) -> Life | None:
        try:
            life = await self._begin(post)
        except (OSError, StartError):
            return None
        if self._over.is_set():  # we were told to end while it began
            life.order(Drain())
        return life

    async def _pause(self, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._over.wait()

    def _say_started(self, post: Post, life: Life) -> None:
        message = f"Worker {post.number} accepts clients."
        fields: dict[str, object] = {"worker": post.number, "pid": life.pid}
        self._events.emit(Notice(Stage.LIFECYCLE, "worker_started", Level.INFO, message, fields))

    def _say_died(self, post: Post, life: Life | None, how: str, delay_s: float) -> None:
        again = f"in {delay_s:g} s" if delay_s else "now"
        message = f"Worker {post.number} ended ({how}); another is started {again}."
        fields: dict[str, object] = {"worker": post.number, "pid": life.pid if life else None, "how": how}
        self._events.emit(Notice(Stage.LIFECYCLE, "worker_died", Level.ERROR, message, fields))


def _close(post: Post) -> None:
    if post.listening is not None:
        post.listening.close()
        post.listening = None


def _error[T](answer: "asyncio.Future[T]") -> str:
    return "" if answer.cancelled() else str(getattr(answer.result(), "error", ""))
