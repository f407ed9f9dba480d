"""The order of admission: priority classes strictly, within a class fair shares of its tenants."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from podium.engine.fair_share import FairShare
from podium.engine.turns import Turn


class FairQueue:
    """Turns that wait or run, by class. Every change costs O(log n); a class without any is forgotten."""

    __slots__ = ("_classes", "_order", "tokens", "turns")

    def __init__(self) -> None:
        self.turns = 0
        self.tokens = 0
        self._classes: dict[int, FairShare] = {}
        self._order: list[int] = []

    def __len__(self) -> int:
        return self.turns

    def head(self) -> Turn | None:
        """Who goes next."""
        share = self._leading()
        return None if share is None else share.head()

    def leads(self, turn: Turn) -> bool:
        """Whether a newcomer goes before everyone: nobody waits, or only lower classes do."""
        return not self.turns or all(
            number < turn.work.priority_class for number in self._order if self._classes[number].turns
        )

    def hold(self, turn: Turn) -> None:
        """Keep ``turn``, the head, before everyone of its class until it is taken or removed."""
        self._classes[turn.work.priority_class].hold(turn)

    def add(self, turn: Turn) -> None:
        """It waits."""
        self._open(turn).add(turn)
        turn.waits = True
        self.turns += 1
        self.tokens += turn.tokens

    def remove(self, turn: Turn) -> None:
        """It waits no longer and does not run."""
        self._count_out(turn)
        share = self._classes[turn.work.priority_class]
        share.remove(turn)
        self._forget_idle(share, turn)

    def take(self, turn: Turn) -> None:
        """It waited and runs now."""
        self._count_out(turn)
        self._classes[turn.work.priority_class].take(turn)

    def start(self, turn: Turn) -> None:
        """It runs and never waited."""
        self._open(turn).start(turn)

    def finish(self, turn: Turn, used_tokens: int) -> None:
        """It ran, and used that much."""
        share = self._classes[turn.work.priority_class]
        share.finish(turn, used_tokens)
        self._forget_idle(share, turn)

    def tokens_ahead(self, turn: Turn) -> float:
        """About how many waiting tokens start before ``turn`` would, if it joined now and nobody else came."""
        number = turn.work.priority_class
        ahead: float = sum(share.tokens for other, share in self._classes.items() if other > number)
        own = self._classes.get(number)
        return ahead + (0 if own is None else own.tokens_ahead(turn))

    def giving_way(self, turn: Turn, *, turns: int, tokens: int) -> list[Turn]:
        """Who leaves so that places for ``turns`` and ``tokens`` are free for ``turn``; empty when it has to go itself.

        Lower classes give way, else the tenant of its own class with the most work waiting, as long as that
        keeps at least as much waiting as the tenant of ``turn`` then has. The last in order go first.
        """
        number = turn.work.priority_class
        lower = [self._classes[other] for other in self._order if other < number]
        if sum(share.turns for share in lower) >= turns and sum(share.tokens for share in lower) >= tokens:
            return _enough((other for share in lower for other in share.everyone()), turns, tokens)
        own = self._classes.get(number)
        return [] if own is None else _enough(own.behind(turn), turns, tokens)

    def _leading(self) -> FairShare | None:
        for number in reversed(self._order):
            share = self._classes[number]
            if share.turns:
                return share
        return None

    def _open(self, turn: Turn) -> FairShare:
        number = turn.work.priority_class
        share = self._classes.get(number)
        if share is None:
            share = self._classes[number] = FairShare()
            insort(self._order, number)
        return share

    def _count_out(self, turn: Turn) -> None:
        turn.waits = False
        self.turns -= 1
        self.tokens -= turn.tokens

    def _forget_idle(self, share: FairShare, turn: Turn) -> None:
        if share.is_idle:
            del self._classes[turn.work.priority_class]
            self._order.remove(turn.work.priority_class)


def _enough(candidates: Iterable[Turn], turns: int, tokens: int) -> list[Turn]:
    found: list[Turn] = []
    freed = 0
    for turn in candidates:
        found.append(turn)
        freed += turn.tokens
        if len(found) >= turns and freed >= tokens:
            return found
    return []
