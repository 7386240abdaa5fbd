"""A limit as plain data: rates, concurrency, queue bounds."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """At most `count` requests leave in any interval of `window_s` seconds."""

    window_s: float
    count: int

    @property
    def spacing_s(self) -> float:
        """The even distance between permits under load, in seconds."""
        return self.window_s / self.count


@dataclass(frozen=True, slots=True)
class Limit:
    """What a host may be asked. No rates means that only concurrency bounds it."""

    name: str
    """The pattern it was configured under: `api.example.com`, `*.example.org` or `default`."""
    rates: tuple[Rate, ...] = ()
    concurrency: int = 8
    """Requests in flight at once, and so connections."""
    max_wait_s: float = 60.0
    max_queue: int = 10_000
    burst: int | None = None
    """Permits that an idle host may take at once; None: as many as its windows allow."""
    unlimited: bool = field(init=False, repr=False, compare=False)
    """No rate applies. Made once, since every request asks several times."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "unlimited", not self.rates)

    @property
    def spacing_s(self) -> float:
        """The distance that permits keep while a queue stands: that of the fastest rate, 0 without rates (seconds)."""
        return min((rate.spacing_s for rate in self.rates), default=0.0)
