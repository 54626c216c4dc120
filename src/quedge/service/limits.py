"""How much may be asked for in a second: a token bucket for each client and each base station."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Limit(StrEnum):
    """What is limited."""

    REPORTS = "reports"
    """Reports, and questions where a cell stands; of a client, and of a base station."""
    REFUSALS = "refusals"
    """Reports that are refused for what they are; of a client."""
    CHECKPOINTS = "checkpoints"
    """Calls for a checkpoint; of a client, and of a base station."""


class Rates(NamedTuple):
    """The most a second of each; 0 for no limit."""

    reports: float = 0.0
    refusals: float = 0.0
    checkpoints: float = 0.0


NO_LIMITS = Rates()
"""As much as is asked for."""
DEFAULT_RATES = Rates(reports=10_000.0, refusals=50.0, checkpoints=10.0)
"""More than a client needs that means well: one process decides some thousand frames a second."""

_BURST_S = {Limit.REPORTS: 1.0, Limit.REFUSALS: 10.0, Limit.CHECKPOINTS: 2.0}
"""For how long at the rate a bucket lasts that was not used: a stream's reports ahead are refused with the first."""
_MOST_BUCKETS = 4096


class _Bucket:
    """Tokens that come at a rate; a full one holds so many."""

    __slots__ = ("_full", "_rate", "_seen", "_tokens")

    def __init__(self, rate: float, full: float, now: float) -> None:
        self._rate, self._full, self._tokens, self._seen = rate, full, full, now

    def fill(self, now: float) -> bool:
        """Let tokens come until now; whether it is full."""
        self._tokens = min(self._full, self._tokens + (now - self._seen) * self._rate)
        self._seen = now
        return self._tokens == self._full

    def has_token(self, now: float) -> bool:
        """Whether there is one to take."""
        self.fill(now)
        return self._tokens >= 1.0

    def take(self, now: float) -> bool:
        """Take a token; False where there is none."""
        tokens = self._tokens + (now - self._seen) * self._rate  # as `fill`; reports are counted in every frame
        if tokens > self._full:
            tokens = self._full
        has_one = tokens >= 1.0
        self._tokens, self._seen = tokens - has_one, now
        return has_one


class RateLimits:
    """Whether one more is within the limits; it lives in the event loop."""

    def __init__(self, rates: Rates = NO_LIMITS, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates: dict[Limit, float] = {Limit(name): rate for name, rate in rates._asdict().items() if rate > 0.0}
        self._buckets: dict[Limit, dict[str, _Bucket]] = {limit: {} for limit in Limit}
        self._clock = clock

    def rate(self, limit: Limit) -> float:
        """The most a second; infinity where there is no limit."""
        return self._rates.get(limit, math.inf)

    def allows(self, limit: Limit, who: str) -> bool:
        """Count one more of a client or a base station; False where that is too many."""
        rate = self._rates.get(limit)
        if rate is None:
            return True
        now, buckets = self._clock(), self._buckets[limit]
        bucket = buckets.get(who)
        if bucket is None:
            if len(buckets) >= _MOST_BUCKETS:
                self._forget(limit, now)
            bucket = self._buckets[limit][who] = _Bucket(rate, max(1.0, rate * _BURST_S[limit]), now)
        return bucket.take(now)

    def has_room(self, limit: Limit, who: str) -> bool:
        """Whether one more would be allowed; nothing is counted."""
        bucket = self._buckets[limit].get(who)
        return bucket is None or bucket.has_token(self._clock())

    def _forget(self, limit: Limit, now: float) -> None:
        """Forget those that are full again, who would begin with a full one; or the older half where few are."""
        buckets = self._buckets[limit]
        used = {who: bucket for who, bucket in buckets.items() if not bucket.fill(now)}
        kept = list(used)[-(_MOST_BUCKETS // 2) :]
        self._buckets[limit] = {who: used[who] for who in kept}
