"""What a process still has to tell the shared ledger, and the task that tells it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from podium.access import redis_ledger_wire as wire
from podium.access.ledger import Ask, Progress, Settlement
from podium.access.redis_ledger_functions import LOCAL_SHARE, LedgerFunctions
from podium.access.usage import Payer, Tally
from podium.aio import tasks
from podium.aio.backoff import Backoff
from podium.store.link import StoreCalls, StoreRefused, StoreUnavailable

log = structlog.get_logger(__name__)

ITEMS_OF_A_BATCH = 64  # two milliseconds of the store's time
GATHER_SECONDS = 0.002
SEND_SECONDS = 0.5
RETRY_SECONDS = 0.1
MOST_RETRY_SECONDS = 1.0
FAREWELL_SECONDS = 2.0
MOST_SETTLEMENTS = 10_000
MOST_ROWS = 10_000
MANY_ENDED = 32  # as many as one call ends


class Outbox:
    """Settlements, renewals and counts on their way, in batches, one at a time and each applied once.

    What cannot be sent waits, and is sent again until it can. It is bounded: beyond ``MOST_SETTLEMENTS`` a
    settlement is reduced to its usage (``dropped`` counts it; its lease frees what it held), of renewals only the
    last of each request is kept. An empty batch goes out every third of a lease as a sign of life.
    """

    def __init__(
        self,
        calls: StoreCalls,
        keys: wire.LedgerKeys,
        *,
        process: str,
        lease_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.functions = LedgerFunctions(calls)
        self.dropped = 0
        self.failures = 0
        self.replicas = 1
        self._calls = calls
        self._keys = keys
        self._process = process
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._ahead_ms: float | None = None  # the store's clock minus ours
        self._settlements: deque[tuple[float, Settlement]] = deque()
        self._renewals: dict[str, Progress] = {}
        self._forgotten: deque[str] = deque()
        self._counts: dict[Payer, Tally] = {}
        self._number = 0
        self._batch: _Batch | None = None
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._refused = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def queued(self) -> int:
        """Items that the store does not have for sure."""
        waiting = len(self._settlements) + len(self._renewals) + len(self._forgotten) + len(self._counts)
        return waiting + (self._batch.size if self._batch else 0)

    def store_ms(self) -> float | None:
        """The store's time as far as known, never ahead of it; None before its first answer."""
        return None if self._ahead_ms is None else self._clock() * 1000 + self._ahead_ms

    def heard(self, store_ms: int) -> None:
        """The store's time came with an answer just now."""
        self._ahead_ms = store_ms - self._clock() * 1000

    async def start(self) -> None:
        """Say hello, once, and begin. A store that is away does not hinder it."""
        try:
            await self._tell()
        except StoreUnavailable as error:
            self._note_failure(error)
        self._task = tasks.start(self._tell_on(), name="ledger outbox")

    async def stop(self) -> None:
        """Tell what is left and say good-bye, for at most ``FAREWELL_SECONDS``. Idempotent."""
        if self._task is None:
            return
        self._closing.set()
        self._wake.set()
        task, self._task = self._task, None
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await task
        except TimeoutError:
            log.warning("ledger left with news untold", count=self.queued)

    def settle(self, settlement: Settlement) -> None:
        """A request ended that may hold something."""
        self._renewals.pop(settlement.ask.id, None)
        if len(self._settlements) >= MOST_SETTLEMENTS:
            self.dropped += 1
            self.count(settlement.ask.payer, settlement.tally)
            return
        self._settlements.append((self._clock(), settlement))
        self._wake.set()

    def count(self, payer: Payer, tally: Tally) -> None:
        """A request ended that holds nothing."""
        known = self._counts.get(payer)
        if known is None and len(self._counts) >= MOST_ROWS:
            self.dropped += 1
            return
        self._counts[payer] = tally if known is None else known.plus(tally)
        self._wake.set()

    def renew(self, progress: Progress) -> None:
        """A request runs."""
        self._renewals[progress.ask.id] = progress
        self._wake.set()

    def forget(self, ask: Ask) -> None:
        """Nobody waits for this reservation any more. Beyond the bound its lease ends it."""
        if len(self._forgotten) < MOST_SETTLEMENTS:
            self._forgotten.append(ask.id)
            self._wake.set()

    def look_again(self) -> None:
        """The store refused a call: see whether the functions are there."""
        self.functions.missing()
        self._wake.set()

    def concerns(self, bucket: str) -> bool:
        """Whether something that is not told yet may free room in ``bucket``."""
        if self._batch is not None and bucket in self._batch.buckets:
            return True
        if len(self._settlements) > ITEMS_OF_A_BATCH:
            return True  # too many to look at
        return any(bucket == limit.bucket for _, settlement in self._settlements for limit in settlement.ask.limits)

    async def tell_now(self, *, say_something: bool = False) -> None:
        """Tell everything. Raises ``StoreUnavailable``; what was not told goes on waiting.

        ``say_something``: even when there is no news, so that the store's time is known.
        """
        async with self._turn:
            if say_something:
                await self._send()
            while self._waiting():
                await self._send()

    def _waiting(self) -> bool:
        return bool(self._batch or self._settlements or self._renewals or self._forgotten or self._counts)

    async def _tell_on(self) -> None:
        backoff = Backoff(RETRY_SECONDS, MOST_RETRY_SECONDS)
        while not self._closing.is_set():
            try:
                await self._tell()
            except StoreUnavailable as error:
                self._note_failure(error)
                # a store that is not asked costs nothing: be there when it may be asked again
                not_asked = self._calls.state != "closed"
                await _until(self._closing, RETRY_SECONDS if not_asked else backoff.next_seconds())
                continue
            backoff.reset()
            await _until(self._wake, self._lease_seconds / 3)  # nothing to tell: a sign of life
            await _until(self._closing, GATHER_SECONDS)
        await self._say_goodbye()

    async def _tell(self) -> None:
        self._wake.clear()
        async with self._turn:
            if not self.functions.usable and not await self.functions.ensure():
                raise StoreRefused("functions")
            try:
                await self._send()
                while self._waiting():
                    await self._send()
            except StoreRefused as error:
                self._note_failure(error)
                self.functions.missing()
                raise

    async def _send(self, *, leaving: bool = False) -> None:
        batch = self._batch = self._batch or self._next_batch(leaving=leaving)
        command = wire.flush_command(self._keys, batch.message)
        try:
            beat = wire.read_flush(await self._calls.call(*command, seconds=SEND_SECONDS))
        except wire.Garbage as error:
            raise StoreUnavailable("garbage") from error
        self._batch = None
        self._note_success()
        self.heard(beat.store_ms)
        self.replicas = max(1, beat.replicas)
        if beat.failed:
            self.failures += beat.failed
            log.error("ledger items failed in the store", count=beat.failed)
        if beat.ended >= MANY_ENDED:
            self._wake.set()  # there may be more

    def _next_batch(self, *, leaving: bool) -> _Batch:
        items: list[Any] = []
        buckets: set[str] = set()
        now = self._clock()
        while self._renewals and len(items) < ITEMS_OF_A_BATCH:
            items.append(wire.renew_item(self._keys, self._renewals.pop(next(iter(self._renewals)))))
        while self._settlements and len(items) < ITEMS_OF_A_BATCH:
            at, settlement = self._settlements.popleft()
            items.append(wire.settle_item(self._keys, settlement, now - at))
            buckets.update(limit.bucket for limit in settlement.ask.limits)
        while self._forgotten and len(items) < ITEMS_OF_A_BATCH:
            items.append(wire.forget_item(self._forgotten.popleft()))
        while self._counts and len(items) < ITEMS_OF_A_BATCH:
            items.append(wire.count_item(*self._counts.popitem()))
        self._number += 1
        message = wire.flush_message(
            self._keys,
            process=self._process,
            number=self._number,
            lease_seconds=self._lease_seconds,
            items=items,
            leaving=leaving,
        )
        return _Batch(message, len(items), frozenset(buckets))

    async def _say_goodbye(self) -> None:
        while True:
            try:
                await self.tell_now()
                async with self._turn:
                    await self._send(leaving=True)
            except StoreRefused as error:
                self._note_failure(error)
                return
            except StoreUnavailable as error:
                self._note_failure(error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _note_failure(self, error: StoreUnavailable) -> None:
        self.failures += 1
        if isinstance(error, StoreRefused) and self.functions.usable and error.reason != self._refused:
            self._refused = error.reason
            log.error("the store refuses the ledger", reason=error.reason, what_holds=LOCAL_SHARE)

    def _note_success(self) -> None:
        if self._refused:
            log.warning("the store takes the ledger again")
        self._refused = ""


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Until it is set, or ``seconds`` later."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


class _Batch:
    __slots__ = ("buckets", "message", "size")

    def __init__(self, message: bytes, size: int, buckets: frozenset[str]) -> None:
        self.message = message
        self.size = size
        self.buckets = buckets
