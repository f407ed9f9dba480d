"""A request's turn, and the line in which the turns of one tenant wait."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from podium.core.errors import Overloaded

LEAST_WEIGHT = 1e-3


class Work(msgspec.Struct, frozen=True):
    """What a request asks of the engine, and for whom.

    ``permits``: one for each choice. ``weight``: the tenant's share among tenants that wait (less than 0.001
    counts as that). ``priority_class``: a higher one goes first, whatever the shares. ``priority``: a higher
    one goes first among the tenant's own. ``tokens``: the most that prompt and answers can come to; 0 is
    unknown and counts as a usual request. ``deadline``: on the gate's clock, the latest time to start; None
    is none.
    """

    permits: int
    tenant: str
    weight: float = 1.0
    priority_class: int = 0
    priority: int = 0
    tokens: int = 0
    deadline: float | None = None


class Turn:
    """A request between its arrival and the release of its permits.

    ``charge`` is what its tenant's counter is charged: ``tokens`` over the weight. ``arrival`` counts up.
    ``answer`` comes to one that waits: None, or why it is refused after all.
    """

    __slots__ = ("answer", "arrival", "charge", "permits", "started", "tokens", "waits", "weight", "work")

    def __init__(self, work: Work, *, arrival: int, permits: int, tokens: int) -> None:
        self.work = work
        self.arrival = arrival
        self.permits = permits
        self.tokens = tokens
        self.weight = max(LEAST_WEIGHT, work.weight)
        self.charge = tokens / self.weight
        self.waits = False
        self.started = 0.0
        self.answer: asyncio.Future[Overloaded | None] | None = None

    def resolve(self, refusal: Overloaded | None) -> None:
        """Tell the one who waits; a caller that was cancelled meanwhile is not told."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(refusal)

    @property
    def given_up(self) -> bool:
        """Whether its caller was cancelled while it waited."""
        return self.answer is not None and self.answer.cancelled()


class _Level:
    """The turns of one priority, in order of arrival."""

    __slots__ = ("charge", "tokens", "turns")

    def __init__(self) -> None:
        self.turns: OrderedDict[Turn, None] = OrderedDict()  # constant time at both ends, unlike a dict
        self.tokens = 0
        self.charge = 0.0


class Line:
    """One tenant's waiting turns: higher priority first, then in order of arrival. O(log p) for p priorities."""

    __slots__ = ("_count", "_levels", "_priorities", "charge", "tokens")

    def __init__(self) -> None:
        self._levels: dict[int, _Level] = {}
        self._priorities: list[int] = []
        self._count = 0
        self.tokens = 0
        self.charge = 0.0

    def __len__(self) -> int:
        return self._count

    def add(self, turn: Turn) -> None:
        """Last among those of its priority."""
        priority = turn.work.priority
        level = self._levels.get(priority)
        if level is None:
            level = self._levels[priority] = _Level()
            insort(self._priorities, priority)
        level.turns[turn] = None
        level.tokens += turn.tokens
        level.charge += turn.charge
        self._count += 1
        self.tokens += turn.tokens
        self.charge += turn.charge

    def remove(self, turn: Turn) -> None:
        """Wherever it stands; it must be there."""
        priority = turn.work.priority
        level = self._levels[priority]
        del level.turns[turn]
        level.tokens -= turn.tokens
        level.charge -= turn.charge
        if not level.turns:
            del self._levels[priority]
            del self._priorities[bisect_left(self._priorities, priority)]
        self._count -= 1
        self.tokens -= turn.tokens
        self.charge = self.charge - turn.charge if self._count else 0.0

    def first(self) -> Turn:
        """Who goes next. The line must not be empty."""
        return next(iter(self._levels[self._priorities[-1]].turns))

    def from_last(self) -> Iterator[Turn]:
        """Everyone, the last one first."""
        for priority in self._priorities:
            yield from reversed(self._levels[priority].turns)

    def ahead_of(self, priority: int) -> tuple[int, float]:
        """Tokens and charge of those who stand before a newcomer of ``priority``."""
        levels = [self._levels[other] for other in self._priorities[bisect_left(self._priorities, priority) :]]
        return sum(level.tokens for level in levels), sum(level.charge for level in levels)

    def tokens_within(self, charge: float) -> float:
        """Tokens of about those whose turn comes before the line has been charged more than ``charge``."""
        if not self._count:
            return 0.0
        return min(self.tokens, charge * self.tokens / self.charge + self.first().tokens)
