"""One process's own windows, and the requests that hold something of them. Nothing here waits."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from podium.access.ledger import (
    NOTHING,
    Admitted,
    Ask,
    Decision,
    Limit,
    Progress,
    Refused,
    Settlement,
    Used,
    refusal,
    standing,
)
from podium.access.usage import Tally
from podium.access.windows import Bucket
from podium.core.standing import Standing

ENDED_SECONDS = 3600.0
STORE_BACK_SECONDS = 5.0  # what does not fit a share may fit the whole: ask when the store should be back
MOST_ENDED = 10_000
SWEPT_WHEN_IDLE = 2_000

Ended = Callable[[Ask, Tally], None]


class LedgerWindows:
    """Buckets by name and running requests by id, for one event loop.

    A request that is not renewed for ``lease_seconds`` ends: what it declared last is charged, the rest is free,
    and ``on_ended`` gets what it had used. Should it be heard of again within an hour, only what is new counts.
    Buckets without content vanish.
    """

    def __init__(
        self,
        lease_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_ended: Ended | None = None,
    ) -> None:
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._on_ended = on_ended
        self._buckets: dict[str, Bucket] = {}
        self._to_sweep: deque[str] = deque()
        self._live: OrderedDict[str, _Live] = OrderedDict()  # the first one's lease ends first
        self._ended: OrderedDict[str, _Counted] = OrderedDict()

    @property
    def live(self) -> int:
        """Requests that run."""
        return len(self._live)

    @property
    def buckets(self) -> int:
        """Buckets in memory."""
        return len(self._buckets)

    def reserve(self, ask: Ask, *, share: int = 1) -> Decision:
        """Take all of ``ask`` or nothing, of a ``share``-th of every limit (at least one of it)."""
        now, buckets = self._see(ask)
        if _is_too_much(ask, buckets, share):
            return _refused(ask, buckets, now, share)
        self._take(ask, buckets, now)
        return Admitted(_standings(ask, buckets, now, share))

    def look(self, ask: Ask) -> Refused | None:
        """The refusal that ``reserve`` would be; takes nothing."""
        now, buckets = self._see(ask)
        return _refused(ask, buckets, now, 1) if _is_too_much(ask, buckets, 1) else None

    def _see(self, ask: Ask) -> tuple[float, list[Bucket]]:
        now = self._clock()
        self._reap(now)
        return now, [self._bucket(limit, now) for limit in ask.limits]

    def hold(self, ask: Ask) -> None:
        """Take ``ask`` whether there is room or not: somebody else has admitted it."""
        now, buckets = self._see(ask)
        self._take(ask, buckets, now)

    def renew(self, progress: Progress) -> None:
        """Prolong the lease, or take the request up again."""
        now = self._clock()
        live = self._live.get(progress.ask.id)
        if live is None:
            live = self._take_again(progress.ask, now)
        live.used, live.declared = progress.used, progress.declared
        live.ends_at = now + self._lease_seconds
        self._live.move_to_end(progress.ask.id)

    def settle(self, settlement: Settlement) -> Tally | None:
        """End a request and charge what it used. What is new as usage; None when it is not known (any more)."""
        now = self._clock()
        ask, used = settlement.ask, settlement.used
        live = self._live.pop(ask.id, None)
        counted = self._ended.pop(ask.id, None) if live is None else live.counted
        if live is not None:
            self._release(live, now)
        elif counted is None:
            return None
        self._charge(ask, used, NOTHING if counted is None else counted.charged, now)
        return settlement.tally if counted is None else _new_usage(used, counted.used)

    def seed(self, limit: Limit, amount: int, *, age_seconds: float) -> None:
        """Charge what was used ``age_seconds`` ago, before this process began."""
        now = self._clock()
        bucket = self._bucket(limit, now)
        bucket.charge(amount, age_seconds=age_seconds)
        if not bucket.empty:
            self._keep(limit, bucket)

    def tidy(self) -> None:
        """End the leases that are over and drop what is empty, in quiet times too."""
        now = self._clock()
        self._reap(now)
        self._sweep(SWEPT_WHEN_IDLE, now)
        while self._ended and next(iter(self._ended.values())).at < now - ENDED_SECONDS:
            self._ended.popitem(last=False)

    def _bucket(self, limit: Limit, now: float) -> Bucket:
        bucket = self._buckets.get(limit.bucket)
        if bucket is None:
            return Bucket(limit.window, now)
        bucket.roll(now)
        return bucket

    def _keep(self, limit: Limit, bucket: Bucket) -> None:
        if limit.bucket not in self._buckets:
            self._buckets[limit.bucket] = bucket
            self._to_sweep.append(limit.bucket)

    def _take(self, ask: Ask, buckets: list[Bucket], now: float) -> None:
        before = len(self._buckets)
        for limit, amount, bucket in zip(ask.limits, ask.amounts, buckets, strict=True):
            if limit.unit == "request":
                bucket.charge(amount)
            else:
                bucket.held += amount
            if limit.bucket not in self._buckets and amount:
                self._keep(limit, bucket)
        self._live[ask.id] = _Live(ask, ask.amounts, now + self._lease_seconds, None)
        self._sweep(1 + 2 * (len(self._buckets) - before), now)

    def _take_again(self, ask: Ask, now: float) -> _Live:
        """Hold what a request may still use beyond what was charged when its lease ended."""
        counted = self._ended.pop(ask.id, None)
        charged = NOTHING if counted is None else counted.charged
        held = tuple(
            max(0, amount - charged.amount(limit.unit)) for limit, amount in zip(ask.limits, ask.amounts, strict=True)
        )
        for limit, amount in zip(ask.limits, held, strict=True):
            if limit.unit != "request" and amount:
                bucket = self._bucket(limit, now)
                bucket.held += amount
                self._keep(limit, bucket)
        live = self._live[ask.id] = _Live(ask, held, now, counted)
        return live

    def _release(self, live: _Live, now: float) -> None:
        for limit, amount in zip(live.ask.limits, live.held, strict=True):
            if limit.unit != "request" and amount:
                self._bucket(limit, now).release(amount)

    def _charge(self, ask: Ask, used: Used, charged: Used, now: float) -> None:
        for limit in ask.limits:
            amount = used.amount(limit.unit) - charged.amount(limit.unit)
            if amount > 0:
                bucket = self._bucket(limit, now)
                bucket.charge(amount)
                self._keep(limit, bucket)

    def _reap(self, now: float) -> None:
        while self._live:
            live = next(iter(self._live.values()))
            if live.ends_at > now:
                return
            self._end(live, now)

    def _end(self, live: _Live, now: float) -> None:
        ask, before = live.ask, live.counted
        del self._live[ask.id]
        self._release(live, now)
        self._charge(ask, live.declared, NOTHING if before is None else before.charged, now)
        if self._on_ended is not None:
            self._on_ended(
                ask, Settlement(ask, live.used).tally if before is None else _new_usage(live.used, before.used)
            )
        charged = live.declared if before is None else _larger(live.declared, before.charged)
        self._ended[ask.id] = _Counted(now, charged, live.used)
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)

    def _sweep(self, count: int, now: float) -> None:
        for _ in range(min(count, len(self._to_sweep))):
            name = self._to_sweep.popleft()
            bucket = self._buckets[name]
            bucket.roll(now)
            if bucket.empty:
                del self._buckets[name]
            else:
                self._to_sweep.append(name)


class _Counted(NamedTuple):
    """What was charged and recorded of a request whose lease ended."""

    at: float
    charged: Used
    used: Used


class _Live:
    __slots__ = ("ask", "counted", "declared", "ends_at", "held", "used")

    def __init__(self, ask: Ask, held: tuple[int, ...], ends_at: float, counted: _Counted | None) -> None:
        self.ask = ask
        self.held = held
        self.ends_at = ends_at
        self.counted = counted
        self.used = NOTHING
        self.declared = ask.declared


def _is_too_much(ask: Ask, buckets: list[Bucket], share: int) -> bool:
    return any(
        amount and bucket.total + bucket.held + amount > _most(limit, share)
        for limit, amount, bucket in zip(ask.limits, ask.amounts, buckets, strict=True)
    )


def _most(limit: Limit, share: int) -> int:
    return limit.most if share == 1 else max(1, limit.most // share)


def _larger(one: Used, other: Used) -> Used:
    return Used(
        max(one.prompt_tokens, other.prompt_tokens),
        max(one.output_tokens, other.output_tokens),
        max(one.micro, other.micro),
    )


def _new_usage(used: Used, counted: Used) -> Tally:
    """What was used beyond what was recorded; the request itself was."""
    return Tally(
        prompt_tokens=max(0, used.prompt_tokens - counted.prompt_tokens),
        output_tokens=max(0, used.output_tokens - counted.output_tokens),
        micro=max(0, used.micro - counted.micro),
    )


def _standings(ask: Ask, buckets: list[Bucket], now: float, share: int) -> tuple[Standing, ...]:
    return tuple(
        standing(
            limit, most=_most(limit, share), used=bucket.total + bucket.held, reset_seconds=bucket.reset_seconds(now)
        )
        for limit, bucket in zip(ask.limits, buckets, strict=True)
    )


def _refused(ask: Ask, buckets: list[Bucket], now: float, share: int) -> Refused:
    waits = [
        _wait_seconds(limit, amount, bucket, now, share)
        for limit, amount, bucket in zip(ask.limits, ask.amounts, buckets, strict=True)
    ]
    return refusal(ask, waits, _standings(ask, buckets, now, share))


def _wait_seconds(limit: Limit, amount: int, bucket: Bucket, now: float, share: int) -> float | None:
    most = _most(limit, share)
    if not amount:
        return 0.0
    if amount <= most:
        return bucket.wait_seconds(amount, most, now)
    return None if amount > limit.most else STORE_BACK_SECONDS
