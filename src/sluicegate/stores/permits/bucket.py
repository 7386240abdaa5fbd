"""A host's permits as a pyrate-limiter bucket: the same file and the same log, behind that library's contract.

For code that speaks pyrate-limiter: what it puts here counts against the host's limit in Sluicegate, and the other way
round. A bucket keeps its rates exactly as that library means them, without guard and pace.
"""

from pyrate_limiter import AbstractBucket, Decision, Rate, RateItem

from sluicegate.clock import Clock
from sluicegate.core.limits.model import Rate as LimitRate
from sluicegate.core.limits.window import Plan, State, Window, decide
from sluicegate.stores.permits.file import PermitFile
from sluicegate.stores.permits.sqlite import HostLog

_MS = 1_000
_HALF_MS = 0.5


class SqliteBucket(AbstractBucket):
    """A bucket for `key` in an open permit file; times are milliseconds of the file's clock.

    Raises PermitStoreBusy and PermitStoreError as the store does. Names of items are not kept.
    """

    is_async = False

    def __init__(self, rates: list[Rate], file: PermitFile, key: str, clock: Clock) -> None:
        self.rates = rates
        self._file = file
        self._key = key
        self._boot_clock = clock

    def now(self) -> int:
        return int(self._boot_clock.now() * _MS)

    def put(self, item: RateItem) -> bool:
        if item.weight == 0:
            return self._record(item, Decision())
        with self._file.writing() as db:
            log = HostLog.find(db, self._key)
            decision = self._decide(log, item)
            if decision.allowed:
                now = item.timestamp / _MS
                log.record(
                    self._key, State(max(now, log.state.last), log.state.due), self._keep_s(), weight=item.weight
                )
                db.execute("COMMIT")
        return self._record(item, decision)

    def _decide(self, log: HostLog, item: RateItem) -> Decision:
        for rate in self.rates:
            if item.weight > rate.limit:
                return Decision(failing_rate=rate)
        now = item.timestamp / _MS
        made = _plan(self.rates, item.weight)
        verdict = decide(made, log.nth, State(), now)
        if verdict.admitted:
            return Decision()
        failing = next(
            rate for rate, window in zip(self.rates, made.windows, strict=True) if window.rate == verdict.rate
        )
        return Decision(failing_rate=failing, retry_after_ms=int(verdict.wait_s * _MS + _HALF_MS))

    def leak(self, current_timestamp: int | None = None) -> int:
        now = (self.now() if current_timestamp is None else current_timestamp) / _MS
        with self._file.writing() as db:
            log = HostLog.find(db, self._key)
            held = _count(log)
            log.trim(now - log.keep_s, held)
            left = _count(log)
            db.execute("COMMIT")
        return held - left

    def flush(self) -> None:
        with self._file.writing() as db:
            log = HostLog.find(db, self._key)
            db.execute("DELETE FROM permit WHERE host = ?", (log.id,))
            db.execute("COMMIT")
        self.failing_rate = None
        self._last_wait = None

    def count(self) -> int:
        with self._file.reading() as db:
            return _count(HostLog.find(db, self._key))

    def peek(self, index: int) -> RateItem | None:
        with self._file.reading() as db:
            at = HostLog.find(db, self._key).nth(index + 1)
        return None if at is None else RateItem(self._key, round(at * _MS))

    def _keep_s(self) -> float:
        return max(rate.interval for rate in self.rates) / _MS


def _plan(rates: list[Rate], weight: int) -> Plan:
    """The rates with room for `weight` at once; half a millisecond keeps an item that is exactly a window old inside."""
    windows = [
        Window(
            LimitRate(rate.interval / _MS, rate.limit),
            rate.limit - weight + 1,
            (rate.interval + _HALF_MS) / _MS,
        )
        for rate in rates
    ]
    return Plan(tuple(windows), pacer=windows[0].rate, spacing_s=0.0, idle_credit_s=0.0)


def _count(log: HostLog) -> int:
    return int(log.db.execute("SELECT count(*) FROM permit WHERE host = ?", (log.id,)).fetchone()[0])
