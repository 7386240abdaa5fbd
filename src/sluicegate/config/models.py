"""The configuration as a typed, frozen value. One class a section; a field's description is the user's manual.

`Settings()` is the embedded default. What a single value may be is in `leaf`, `quantities` and `values`; what
concerns several keys at once is in `consistency`. Durations are in seconds, sizes in bytes, whatever unit they were written in.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from sluicegate.config import quantities, values
from sluicegate.config.directories import default_state_dir
from sluicegate.config.leaf import Leaf, choice, optional, path, secret, switch, whole, without_userinfo
from sluicegate.config.values import Address, Network
from sluicegate.core.limits.model import Rate

type Rates = Annotated[
    tuple[Rate, ...],
    Leaf(
        quantities.rates,
        quantities.RATE_FORMS,
        quantities.show_rates,
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
    ),
]
type MaxWait = Annotated[float, quantities.duration("0s", "1d")]
type Timeout = Annotated[float, quantities.duration("1ms", "1h")]
type Concurrency = Annotated[int, whole(1, 10_000)]
type MaxQueue = Annotated[int, whole(1, 1_000_000)]
type Burst = Annotated[int, whole(1, 1_000_000)]
type HostPattern = Annotated[str, Leaf(values.host_pattern, values.PATTERN_FORMS)]
type Switch = Annotated[bool, Leaf(switch, "true | false", bool, {"type": "boolean"})]
type LocalPath = Annotated[Path, Leaf(path, "a path")]


ParentProxy = secret(Leaf(values.parent_proxy, "http://host:port or http://user:password@host:port"), without_userinfo)
RedisUrl = secret(Leaf(values.redis_url, values.REDIS_URL_FORMS), without_userinfo)
AdminToken = secret(Leaf(values.bearer_token, values.BEARER_FORMS))
PasswordHash = secret(Leaf(values.password_hash, "the output of `sluicegate password`"))

OneOrMany = BeforeValidator(
    lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=str | list[str]
)


class Section(BaseModel):
    """A mapping of the file: nothing unknown in it, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LogSettings(Section):
    """What is written about each request and about the proxy itself."""

    file: LocalPath | None = Field(default=None, description="Where to write; null is standard output.")
    level: Annotated[str, choice("debug", "info", "warning", "error")] = Field(
        default="info", description="The least severe level that is written."
    )
    format: Annotated[Literal["auto", "json", "text"], choice("auto", "json", "text")] = Field(
        default="auto", description="`auto` is text on a terminal and one JSON object a line elsewhere."
    )
    rotate_size: Annotated[int, quantities.size("64KiB", "1TiB")] = Field(
        default=100 * 2**20, description="A log file that reaches this size is set aside and a new one begun."
    )
    rotate_keep: Annotated[int, whole(0, 1000)] = Field(
        default=5, description="How many files that were set aside are kept."
    )


class DefaultLimit(Section):
    """What any host may be asked."""

    rates: Rates = Field(
        default=(Rate(window_s=1.0, count=10),),
        description="How many requests may leave in any interval of a length; all of them hold at once.",
    )
    concurrency: Concurrency = Field(
        default=8, description="Requests to one host at the same time, and so connections."
    )
    max_wait: MaxWait = Field(
        default=60.0, description="The longest a request waits at a limit; beyond, it is answered 429."
    )
    max_queue: MaxQueue = Field(
        default=10_000, description="Requests that wait for one host; one more is answered 429."
    )
    burst: Burst | None = Field(
        default=None, description="Requests that an idle host gets at once; null is as many as its rates allow."
    )


class HostLimit(Section):
    """What one host may be asked; what is not said here is as in `limits.default`."""

    rates: Rates | None = Field(default=None, description="As in `limits.default`.")
    concurrency: Concurrency | None = Field(default=None, description="As in `limits.default`.")
    max_wait: MaxWait | None = Field(default=None, description="As in `limits.default`.")
    max_queue: MaxQueue | None = Field(default=None, description="As in `limits.default`.")
    burst: Burst | None = Field(default=None, description="As in `limits.default`.")


class LimitsSettings(Section):
    """How fast hosts are asked."""

    backend: Annotated[Literal["sqlite", "memory", "redis"], choice("sqlite", "memory", "redis")] = Field(
        default="sqlite",
        description="Where permits are counted: `sqlite` is shared by all proxies on the state directory and outlives "
        "them; `memory` is this process alone; `redis` is not available yet.",
    )
    redis_url: Annotated[SecretStr, RedisUrl] = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"), description="The Redis of backend `redis`."
    )
    max_inflight: Annotated[int, whole(1, 100_000)] = Field(
        default=500, description="Requests to all hosts together at the same time."
    )
    default: DefaultLimit = Field(
        default=DefaultLimit(), description="The limit of each host that `hosts` does not name."
    )
    hosts: dict[HostPattern, HostLimit] = Field(
        default={},
        description="Limits by host, or by `*.domain` for its subdomains. The most specific entry counts; each host "
        "that matches a pattern has the limit for itself.",
    )


class CacheRule(Section):
    """What the cache does otherwise for some URLs, although RFC 9111 asks for something else."""

    hosts: Annotated[tuple[Annotated[str, Leaf(values.rule_host, values.PATTERN_FORMS)], ...], OneOrMany] = Field(
        default=(), description="The hosts it is for, as in `limits.hosts`; none: every host."
    )
    paths: Annotated[tuple[Annotated[str, Leaf(values.path_pattern, values.PATH_FORMS)], ...], OneOrMany] = Field(
        default=(), description="The paths it is for, without the query; none: every path."
    )
    ttl: Annotated[float | None, optional(quantities.duration("0s", "3650d"))] = Field(
        default=None,
        description="How long a response is fresh from when it came or was confirmed, whatever it says. It makes "
        "nothing storable that is not, and is not for errors.",
    )
    force: Switch = Field(
        default=False, description="Whether to keep, for `ttl`, what says nothing about caching and has no validator."
    )
    never: Switch = Field(default=False, description="Whether to keep nothing and to answer nothing from the cache.")
    immutable: Switch = Field(
        default=False,
        description="Whether what is fresh answers a client that reloads (`no-cache`, `max-age=0`), too.",
    )
    ignore_client_no_cache: Switch = Field(
        default=False, description="Whether a client's `no-cache` counts for nothing; its `max-age` still does."
    )
    ignore_query: Annotated[
        tuple[str, ...],
        Leaf(
            values.query_names,
            "names of parameters, such as [utm_*, sid], where an asterisk is any characters; or all",
            values.show_query_names,
            {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        ),
    ] = Field(default=(), description="Parameters of the query that make no difference to what is stored.")
    sort_query: Switch = Field(
        default=False, description="Whether the order of differently named parameters makes no difference."
    )


class StaleSettings(Section):
    """When a stored response is used after its time, as far as neither it nor the client forbids that (RFC 9111 §4.2.4)."""

    unreachable: Annotated[float, quantities.duration("0s", "3650d")] = Field(
        default=86_400.0,
        description="How stale a response may be that stands in for an origin that cannot be reached or does not answer, "
        "or for a limit that refuses. 0: only as `stale-if-error` allows.",
    )
    answer_after: Annotated[float | None, optional(quantities.duration("100ms", "1h"))] = Field(
        default=10.0,
        description="When an origin that is still silent counts as one that does not answer; it is then waited for in the "
        "background. null: once the connection fails or a timeout of `upstream` is over.",
    )
    queue: Annotated[float | None, optional(quantities.duration("0s", "1d"))] = Field(
        default=None,
        description="The wait at a limit from which on the stale response is used, and refreshed in the background. null: "
        "however long, it is waited for.",
    )


class CacheSettings(Section):
    """What is kept, and where (RFC 9111)."""

    mode: Annotated[Literal["shared", "private", "off"], choice("shared", "private", "off")] = Field(
        default="shared",
        description="`shared` serves several users, `private` one (it keeps more); `off` keeps nothing.",
    )
    store: Annotated[Literal["disk", "memory", "redis"], choice("disk", "memory", "redis")] = Field(
        default="disk",
        description="`disk` outlives the process and is shared by all proxies on the state directory; `memory` is this "
        "process alone; `redis` is shared by all proxies that use it.",
    )
    redis_url: Annotated[SecretStr, RedisUrl] = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"), description="The Redis (7 or later) of store `redis`."
    )
    redis_max_body: Annotated[int, quantities.size("1KiB", "512MiB")] = Field(
        default=8 * 2**20,
        description="With store `redis`, a response with a larger body is passed on without being kept.",
    )
    max_size: Annotated[int, quantities.size("1MiB", "1024TiB")] = Field(
        default=10 * 2**30, description="What all entries may take; the least recently used go first."
    )
    max_entry_size: Annotated[int, quantities.size("1KiB", "1024TiB")] = Field(
        default=2 * 2**30, description="A larger response is passed on without being kept; at most `max_size`."
    )
    collapse: Switch = Field(
        default=True,
        description="Whether requests for the same thing at the same time become one, and share its answer.",
    )
    finish_when_abandoned: Annotated[int, quantities.size("0B", "1024TiB")] = Field(
        default=8 * 2**20,
        description="What may be left of a response when the last client leaves, for it to be read to its end and "
        "kept; it is given up when more is left, or it is not known how much. 0: always given up.",
    )
    targeted: Annotated[
        tuple[Annotated[str, Leaf(values.field_name, "HTTP field names, such as CDN-Cache-Control")], ...], OneOrMany
    ] = Field(default=(), description="Fields that stand in for Cache-Control, in order (RFC 9213).")
    stale: StaleSettings = StaleSettings()
    offline: Switch = Field(
        default=False,
        description="Whether no request leaves at all: what is stored is the answer, stale too unless that is forbidden, "
        "and everything else is answered 504.",
    )
    rules: tuple[CacheRule, ...] = Field(
        default=(),
        description="What the cache does otherwise for some URLs, although RFC 9111 asks for something else. The first "
        "entry that matches host and path counts, alone.",
    )


class HttpsSettings(Section):
    """What happens to https."""

    mode: Annotated[Literal["intercept", "tunnel"], choice("intercept", "tunnel")] = Field(
        default="intercept",
        description="`intercept` caches and limits each request and needs clients that trust the proxy's certificate; "
        "`tunnel` limits connections only and caches nothing.",
    )
    tunnel: Annotated[tuple[Annotated[str, Leaf(values.tunnel_pattern, values.PATTERN_FORMS)], ...], OneOrMany] = Field(
        default=(), description="Hosts that are never intercepted."
    )
    upstream_ca: LocalPath | None = Field(
        default=None,
        description="A PEM file of certificates to trust besides the system's, for origins with a private root.",
    )
    http2: Annotated[Literal[False], Leaf(values.unavailable_switch, "false", bool, {"const": False})] = Field(
        default=False, description="HTTP/2 towards clients; not available yet."
    )


class UpstreamSettings(Section):
    """How long an origin may take, and what is kept of it."""

    connect_timeout: Timeout = Field(
        default=10.0, description="To accept a connection, with the resolution of its name before and TLS after."
    )
    first_byte_timeout: Timeout = Field(default=60.0, description="To begin its answer.")
    idle_timeout: Timeout = Field(
        default=60.0, description="Between two pieces of its answer, or of the request it is sent."
    )
    keepalive: Timeout = Field(default=30.0, description="How long a connection is kept that nobody uses.")
    max_connections: Annotated[int, whole(1, 100_000)] = Field(
        default=1000, description="Connections of a process to all origins together; who needs one more waits."
    )
    dns_cache: Annotated[float, quantities.duration("0s", "1h")] = Field(
        default=30.0, description="How long a name's addresses are used before it is resolved again."
    )


class AccessSettings(Section):
    """Who may use the proxy, and to reach what."""

    allow: Annotated[
        tuple[Annotated[Network, Leaf(values.network, "IP networks, such as 10.0.0.0/8")], ...], OneOrMany
    ] = Field(
        default=(),
        description="Client networks besides loopback; these or `users` are needed for any listen address but loopback.",
    )
    users: dict[str, Annotated[SecretStr, PasswordHash]] = Field(
        default={}, description="Names with the hash of their password, as `sluicegate password` prints it."
    )
    allow_private: Switch = Field(
        default=False,
        description="Whether clients of a proxy with `allow` or `users` reach loopback, link-local and private addresses.",
    )


class Settings(Section):
    """A whole configuration."""

    listen: Annotated[Address, Leaf(values.parse_address, values.ADDRESS_FORMS)] = Field(
        default=Address("127.0.0.1", 3128), description="Where clients connect. Port 0 is any free port."
    )
    admin: Annotated[
        Address | None, Leaf(values.admin_address, f'{values.ADDRESS_FORMS}; or "off"', values.show_admin)
    ] = Field(
        default=Address("127.0.0.1", 9090), description="Where health, metrics, status and the dashboard are served."
    )
    admin_token: Annotated[SecretStr | None, optional(AdminToken)] = Field(
        default=None,
        description="What the admin API and PURGE want to see; null is the content of `admin.token` in the state directory, "
        "which is made at the first start.",
    )
    state_dir: LocalPath = Field(
        default_factory=lambda: default_state_dir(os.environ),
        description="The directory of everything that outlives the process: certificate authority, permits, cache.",
    )
    workers: Annotated[int | Literal["auto"], values.workers()] = Field(
        default=1,
        description="Processes that serve the one address; `auto` is as many as there are processors to use (one if "
        "limits or cache are kept in memory).",
    )
    log: LogSettings = LogSettings()
    limits: LimitsSettings = LimitsSettings()
    cache: CacheSettings = CacheSettings()
    https: HttpsSettings = HttpsSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    upstream_proxy: Annotated[SecretStr | None, optional(ParentProxy)] = Field(
        default=None, description="An HTTP proxy through which every origin is reached."
    )
    access: AccessSettings = AccessSettings()
    drain_timeout: Annotated[float, quantities.duration("0s", "1h")] = Field(
        default=30.0, description="How long requests under way may go on once the proxy is told to stop."
    )
    header_limit: Annotated[int, quantities.size("1KiB", "16MiB")] = Field(
        default=64 * 2**10, description="Request line and header section together; a larger one is answered 431."
    )
