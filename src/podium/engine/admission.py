"""Admission: a bounded number of sequences run, a bounded amount of work waits in a fair order, the rest is refused."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Callable

from podium.core.errors import Overloaded
from podium.engine.fair_queue import FairQueue
from podium.engine.service_rate import ServiceRate
from podium.engine.turns import Turn, Work

UNKNOWN_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0


class Permit:
    """Permits of the running batch, held by one request."""

    __slots__ = ("_release", "_turn")

    def __init__(self, release: Callable[[Turn, int], None], turn: Turn) -> None:
        self._release = release
        self._turn: Turn | None = turn

    def release(self, used_tokens: int) -> None:
        """Give the permits back; the next in order gets them. Idempotent: only the first call counts.

        ``used_tokens``, prompt and answers together, is what the tenant is charged in the end; who held
        permits used 1 at least, so that requests which end without an answer lose their tenant its turn.
        """
        turn, self._turn = self._turn, None
        if turn is not None:
            self._release(turn, max(1, used_tokens))


class AdmissionGate:
    """Permits for the running batch of one model, and the bounded, fair queue before it.

    Order: the highest priority class; in it the tenant that has been given the least, in tokens over its
    weight (``FairShare`` says what that promises); of that tenant the highest priority; then arrival.
    A request takes one permit for each choice, at most all there are. Nobody overtakes the head: when
    permits are free, but fewer than it needs, those and the next ones are kept for it, and of all that come
    later only a higher class goes first. So a wide request waits for what runs to end, and not for ever.

    ``queue`` bounds the requests that wait, ``queue_tokens`` their tokens (0 is no bound). Who comes when the
    queue is full is refused at once; unless it is of a higher class than others that wait, or another tenant
    has more waiting than its own would have: then the last of those are refused, so that a flood does not
    lock others out.

    A request with a deadline is refused at once when the work before it, at the measured rate, would not be
    done by then: what waits before it, and of what runs the part that has to end to free its permits.

    Cost: O(log n) for n waiting, cancellation included. Only a deadline in doubt is looked at closer: once at
    each running request and each tenant that waits. ``clock`` must be that of the deadlines; an event
    loop's time is ``time.monotonic``.
    """

    def __init__(
        self, *, permits: int, queue: int, queue_tokens: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.permits = permits
        self.queue_limit = queue
        self.queue_tokens = queue_tokens
        self._clock = clock
        self._free = permits
        self._arrivals = itertools.count()
        self._queue = FairQueue()
        self._rate = ServiceRate(permits, clock)
        self._running: set[Turn] = set()
        self._running_tokens = 0

    @property
    def running(self) -> int:
        """Permits taken."""
        return self.permits - self._free

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._queue.turns

    @property
    def waiting_tokens(self) -> int:
        """Expected tokens of the requests in the queue."""
        return self._queue.tokens

    async def acquire(self, work: Work) -> Permit:
        """Take permits, waiting in the queue when they are not free.

        Raises ``Overloaded`` with ``retry_after_seconds``: at once when the queue is full or the deadline
        cannot be met, later when the request gave its place in a full queue to one that was due before it.
        Cancellation leaves the queue; nothing is held or charged then.
        """
        turn = self._turn_of(work)
        if self._may_start(turn):
            self._queue.start(turn)
            self._start(turn)
            self._watch()
        else:
            await self._wait(turn)
        return Permit(self._end, turn)

    def refuse_if_full(self, work: Work) -> None:
        """Raises ``Overloaded`` where ``acquire`` would because of a full queue. Nothing is taken."""
        turn = self._turn_of(work)
        if not self._may_start(turn):
            self._who_leaves_for(turn)

    def _turn_of(self, work: Work) -> Turn:
        return Turn(
            work,
            arrival=next(self._arrivals),
            permits=min(work.permits, self.permits),  # n larger than the batch takes the whole batch
            tokens=work.tokens or self._rate.usual_tokens,
        )

    def _may_start(self, turn: Turn) -> bool:
        return turn.permits <= self._free and self._queue.leads(turn)

    async def _wait(self, turn: Turn) -> None:
        self._refuse_if_late(turn)
        self._make_room(turn)
        turn.answer = asyncio.get_running_loop().create_future()
        self._queue.add(turn)
        self._admit()
        try:
            refusal = await turn.answer
        except asyncio.CancelledError:
            self._leave(turn)
            raise
        if refusal is not None:
            raise refusal

    def _make_room(self, turn: Turn) -> None:
        for other in self._who_leaves_for(turn):
            self._queue.remove(other)
            other.resolve(self._gave_way(other))

    def _who_leaves_for(self, turn: Turn) -> list[Turn]:
        """The turns that have to leave the queue so that there is room. Raises ``Overloaded`` when none may."""
        over_turns = self._queue.turns + 1 - self.queue_limit
        over_tokens = self._queue.tokens + turn.tokens - self.queue_tokens if self.queue_tokens else 0
        if over_turns <= 0 and over_tokens <= 0:
            return []
        others: list[Turn] = []
        if self.queue_limit and (not self.queue_tokens or turn.tokens <= self.queue_tokens):
            others = self._queue.giving_way(turn, turns=over_turns, tokens=over_tokens)
        if not others:
            raise self._full(turn, of_requests=over_turns > 0)
        return others

    def _refuse_if_late(self, turn: Turn) -> None:
        deadline = turn.work.deadline
        if deadline is None:
            return
        left = deadline - self._clock()
        everything = self._rate.seconds_for(self._queue.tokens + self._running_tokens)
        if everything is None or everything <= left:
            return
        seconds = self._rate.seconds_for(self._queue.tokens_ahead(turn) + self._running_ahead(turn))
        if seconds is not None and seconds > left:
            raise Overloaded(
                f"The request would have to wait about {math.ceil(seconds)} s for its turn, which is after its "
                "deadline. Allow it more time, or try again later.",
                retry_after_seconds=_whole_seconds(seconds - left),
            )

    def _running_ahead(self, turn: Turn) -> float:
        """Of the running work, the part that has to end to free as many permits as ``turn`` lacks."""
        now, pace = self._clock(), self._rate.tokens_per_second / self.permits
        left = sum(max(0.0, other.tokens - pace * other.permits * (now - other.started)) for other in self._running)
        return left * max(0, turn.permits - self._free) / max(1, self.running)

    def _admit(self) -> None:
        while self._free and (turn := self._queue.head()) is not None:
            if turn.given_up:
                self._queue.remove(turn)
            elif turn.permits > self._free:
                self._queue.hold(turn)
                break
            else:
                self._queue.take(turn)
                self._start(turn)
                turn.resolve(None)
        self._watch()

    def _start(self, turn: Turn) -> None:
        self._free -= turn.permits
        self._running.add(turn)
        self._running_tokens += turn.tokens
        turn.started = self._clock()

    def _end(self, turn: Turn, used_tokens: int) -> None:
        self._rate.record(turn.work.tokens, permits=turn.permits, used_tokens=used_tokens)
        self._give_back(turn, used_tokens)

    def _give_back(self, turn: Turn, used_tokens: int) -> None:
        self._free += turn.permits
        self._running.discard(turn)
        self._running_tokens -= turn.tokens
        self._queue.finish(turn, used_tokens)
        self._admit()

    def _leave(self, turn: Turn) -> None:
        if turn.waits:
            self._queue.remove(turn)
            self._admit()
        elif turn in self._running:  # admitted in the same moment
            self._give_back(turn, 0)

    def _watch(self) -> None:
        self._rate.watch(busy=not self._free or self._queue.turns > 0)

    def _full(self, turn: Turn, *, of_requests: bool) -> Overloaded:
        if of_requests:
            message = f"{self.waiting} requests are waiting for this model and no more are queued. Try again later."
        elif turn.tokens > self.queue_tokens:
            message = (
                f"All of this model's batch is taken, and the request is larger than the {self.queue_tokens} tokens "
                "of work that may wait for it. Ask for fewer tokens, or try again later."
            )
        else:
            message = (
                f"Requests of {self.waiting_tokens} tokens are waiting for this model, and no more than "
                f"{self.queue_tokens} tokens are queued. Try again later, or ask for fewer tokens."
            )
        return Overloaded(message, retry_after_seconds=self._until_served(turn))

    def _gave_way(self, turn: Turn) -> Overloaded:
        return Overloaded(
            "The queue of this model is full, and the request gave its place to another one that was due before it. "
            "Try again later, or with fewer requests at a time.",
            retry_after_seconds=self._until_served(turn),
        )

    def _until_served(self, turn: Turn) -> float:
        seconds = self._rate.seconds_for(self._queue.tokens + turn.tokens)
        return _whole_seconds(UNKNOWN_RETRY_SECONDS if seconds is None else seconds)


def _whole_seconds(seconds: float) -> float:
    return float(min(max(1, math.ceil(seconds)), LONGEST_RETRY_SECONDS))
