"""Each reason in a sentence for people."""

from sluicegate.core.caching.decisions import Reason
from sluicegate.core.caching.freshness import Source

SENTENCES = {
    Reason.FRESH: "A stored response is fresh.",
    Reason.STALE: "The stored response is older than its freshness lifetime.",
    Reason.URI_MISS: "Nothing is stored under this key.",
    Reason.VARY_MISS: "What is stored was selected by other values of the request fields that its Vary names.",
    Reason.REQUEST_NO_CACHE: "The request says no-cache: it wants an answer that the origin has confirmed.",
    Reason.RESPONSE_NO_CACHE: "The stored response says no-cache: the origin wants to be asked each time.",
    Reason.METHOD: "Only GET and HEAD are answered from the cache, and only answers to GET are stored (to POST if they say which GET they answer).",
    Reason.RANGE: "The request is for a range, and nothing that is stored and fresh has all of it.",
    Reason.PRECONDITION: "If-Match and If-Unmodified-Since are the origin's to judge.",
    Reason.REQUEST_TOO_OLD: "The stored response is fresh, but not as fresh as the request's max-age or min-fresh asks.",
    Reason.ONLY_IF_CACHED: "The request says only-if-cached, and nothing that is stored may be used.",
    Reason.CACHE_OFF: "The cache is off for this request.",
    Reason.VALIDATED: "The origin confirmed what is stored.",
    Reason.REPLACED: "The origin's new response took the place of the stored one.",
    Reason.COMPLETED: "What was stored and what the origin sent are the whole together.",
    Reason.STORABLE: "Nothing stands against storing the response.",
    Reason.NOT_UNDERSTOOD: "The status is one that must not be stored without knowing what it means to a cache.",
    Reason.NO_STORE: "The response says no-store: the origin forbids it to be kept.",
    Reason.REQUEST_NO_STORE: "The request says no-store: the client forbids its answer to be kept.",
    Reason.VARIES_ALWAYS: "The response says Vary: *, so that no later request could match it.",
    Reason.NO_USE: "The response says nothing that makes it fresh, and has no ETag or Last-Modified to ask with: it could never be reused.",
    Reason.PRIVATE: "The response says private: it is for one user, and this cache serves several (cache.mode: shared).",
    Reason.AUTHORIZATION: "The request has Authorization, and the response does not say that others may have it (public, s-maxage or must-revalidate).",
    Reason.SET_COOKIE: "The response has Set-Cookie and does not say for how long it may be reused: it may be one user's own.",
    Reason.SEVERAL_USERS: "Several people use this cache, and the response may be one person's own, or an error that one request provoked; it says neither public nor s-maxage.",
    Reason.NOTHING_ALLOWS_STORING: "The status is not cacheable by itself, and the response does not say that it is (max-age, Expires or public).",
    Reason.STALE_WHILE_REVALIDATE: "The stored response is stale; the origin lets it be used while it is validated.",
    Reason.STALE_IF_ERROR: "The stored response is stale; it may be used where there is only an error.",
    Reason.STALE_UNREACHABLE: "The stored response is stale, but the origin cannot be reached, or closes without an answer.",
    Reason.STALE_SLOW: "The stored response is stale, but the origin takes too long to answer.",
    Reason.STALE_LIMITED: "The stored response is stale, but the limiter refuses the request.",
    Reason.STALE_QUEUE: "The stored response is stale, but the limiter would let the request wait for long.",
    Reason.OFFLINE: "The proxy is offline: what is stored is all there is.",
    Reason.RULE_TTL: "A rule of cache.rules says for how long the stored response is fresh.",
    Reason.RULE_RELOAD: "The request wants something newer, and a rule of cache.rules says not to heed that.",
    Reason.RULE_STORE: "The response is stored only because a rule of cache.rules says so.",
    Reason.RULE_PERSONAL: "A rule of cache.rules would have the response stored, but it may be one person's own: it came for a request with Cookie or Authorization, or with Set-Cookie, and this cache serves several (cache.mode: shared).",
    Reason.RULE_NEVER: "A rule of cache.rules says never.",
}
"""One for each reason."""

LIFETIMES = {
    Source.S_MAXAGE: "s-maxage, which is for shared caches",
    Source.MAX_AGE: "max-age",
    Source.EXPIRES: "Expires",
    Source.HEURISTIC: "a guess: a tenth of the time since Last-Modified, at most a week",
    Source.NOTHING: "nothing says that it is ever fresh",
}
"""What a lifetime was taken from, one for each source."""

BY_TOKEN = {reason.token: reason for reason in Reason}
"""The reason of each word that the log uses."""
