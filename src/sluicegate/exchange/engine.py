"""The engine: cache first, limiter and origin below it, and an answer in every case.

Whatever goes wrong in here ends as an answer of our own, never as a request that slips past the limiter.
"""

import logging

from sluicegate.core.access import AccessPolicy
from sluicegate.core.caching.steering import is_steered
from sluicegate.core.framing import REASONS
from sluicegate.core.http import RequestHead, ResponseHead, end_to_end
from sluicegate.core.loops import MAX_FORWARDS_METHODS, check_loop, forwards_left, with_one_forward_less
from sluicegate.core.ports import OnInterim
from sluicegate.errors import ClientGone, ExchangeError
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.cached import CachedForwarder
from sluicegate.exchange.call import Answer, Call, Identity
from sluicegate.exchange.misses import Begun, Misses, OnDone
from sluicegate.exchange.problems import InternalFault, problem
from sluicegate.exchange.purging import METHOD as PURGE
from sluicegate.exchange.purging import TOKEN_FIELD, Purging

_logger = logging.getLogger(__name__)

OURS = frozenset({b"expect", TOKEN_FIELD})
"""End-to-end by the letter, but for us: we say 100 Continue ourselves, after the permit, and keep the admin's token."""


class Engine:
    """Answers calls. One for all clients, whatever they speak."""

    def __init__(
        self, *, cached: CachedForwarder, access: AccessPolicy, identity: Identity, purging: Purging | None = None
    ) -> None:
        """Without `purging`, PURGE is a method like any other."""
        self.access = access
        self.misses: Misses | None = Misses(cached)
        """Without it, every miss is `handle`d from its beginning."""
        self._cached = cached
        self._identity = identity
        self._purging = purging

    def begin(self, call: Call, done: OnDone) -> Begun | None:
        """Send a call on at once, where nothing has to be waited for; None where something has: then `handle` it.

        `done` is called once, unless what has begun is abandoned: with the answer, or with None where there is more to
        wait for. Then `handle` goes on with what has begun.
        """
        if self.misses is None or not call.plain:
            return None
        try:
            request = _end_to_end(call)
            self.access.admit_host(request.origin.host)
            return self.misses.begin(call, request, done)
        except ExchangeError:
            return None  # `handle` comes to the same, and says so
        except Exception:
            _logger.exception("exchange %s could not be begun at once", call.request_id)
            return None

    async def handle(self, call: Call, on_interim: OnInterim, begun: Begun | None = None) -> Answer:
        """Answer a call. Raises only ClientGone and CancelledError; then nothing is held any more."""
        try:
            return await (self._answer(call, on_interim) if begun is None else begun.go_on(on_interim))
        except ExchangeError as error:
            return self.refuse(call, error)
        except ClientGone:
            raise
        except Exception:
            _logger.exception("exchange %s failed", call.request_id)
            return self.refuse(call, InternalFault("An internal fault; the log has the details."))

    async def _answer(self, call: Call, on_interim: OnInterim) -> Answer:
        request = _end_to_end(call)
        self.access.admit_host(request.origin.host)
        if call.plain:
            return await self._cached.answer(call, request, on_interim)
        if request.method == PURGE and self._purging is not None:
            purged = await self._purging.answer(call)
            if purged is not None:
                return purged
        if call.may_use_cache and is_steered(request, call.body):
            call.may_use_cache = False
        check_loop(request.fields, self._identity.pseudonym)
        if request.method not in MAX_FORWARDS_METHODS or (left := forwards_left(request)) is None:
            return await self._cached.answer(call, request, on_interim)
        if left == 0:
            return _final_recipient(call)
        return await self._cached.pass_on(call, with_one_forward_less(request, left), on_interim)

    def refuse(self, call: Call, error: ExchangeError) -> Answer:
        """The answer that tells about `error`."""
        call.error = error.proxy_error
        call.cache = "none"
        return problem(error, call.request_id, self._identity.name)


def _end_to_end(call: Call) -> RequestHead:
    """The request with the fields that travel on: itself, where these are all."""
    request = call.request
    kept = end_to_end(request.fields, OURS)
    return request if len(kept) == len(request.fields) else request.with_fields(kept)


def _final_recipient(call: Call) -> Answer:
    """The answer to TRACE or OPTIONS with Max-Forwards: 0 (RFC 9110 §7.6.2); TRACE repeats no field that may hold a secret."""
    call.cache = "none"
    if call.request.method == "OPTIONS":
        return Answer(
            ResponseHead(204, REASONS[204], [(b"Allow", b"GET, HEAD, POST, PUT, DELETE, OPTIONS")]), BytesBody()
        )
    line = f"TRACE {call.request.target} HTTP/1.1\r\n\r\n".encode("latin-1")
    return Answer(ResponseHead(200, REASONS[200], [(b"Content-Type", b"message/http")]), BytesBody(line))
