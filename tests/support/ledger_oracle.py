"""What a ledger should answer, worked out anew each time from a list of everything that happened."""

from __future__ import annotations

from dataclasses import dataclass, field

from podium.access.ledger import Ask, Limit, Used
from podium.access.windows import HELD_SECONDS, Window


@dataclass
class Running:
    """A request that was admitted."""

    ask: Ask
    lease_ends: float
    declared: Used
    prompt: int
    output: int
    delivered: int = 0

    @property
    def reserved(self) -> int:
        return self.prompt + self.output


@dataclass
class Oracle:
    """Charges by bucket, and the requests that hold something. ``deliveries`` is what really was delivered."""

    charges: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    deliveries: list[tuple[float, int, Ask]] = field(default_factory=list)
    admissions: list[tuple[float, int, Ask]] = field(default_factory=list)

    def end_leases(self, now: float) -> None:
        for request in [request for request in self.running.values() if request.lease_ends <= now]:
            del self.running[request.ask.id]
            self._charge(request.ask, request.declared, now)

    def waits(self, ask: Ask, now: float) -> list[float | None]:
        """For each limit: 0 with room, seconds until there is, None for ever."""
        return [self._wait(limit, amount, now) for limit, amount in zip(ask.limits, ask.amounts, strict=True)]

    def admit(self, request: Running, now: float) -> None:
        ask = request.ask
        for limit, amount in zip(ask.limits, ask.amounts, strict=True):
            if limit.unit == "request":
                self.charges.setdefault(limit.bucket, []).append((now, amount))
        self.running[ask.id] = request
        self.admissions.append((now, 1, ask))

    def settle(self, request: Running, now: float) -> None:
        del self.running[request.ask.id]
        self._charge(request.ask, Used(0, request.delivered), now)

    def used(self, limit: Limit, now: float) -> int:
        return self._charged(limit, now) + self._held(limit)

    def _charge(self, ask: Ask, used: Used, now: float) -> None:
        for limit in ask.limits:
            if amount := used.amount(limit.unit):
                self.charges.setdefault(limit.bucket, []).append((now, amount))

    def _charged(self, limit: Limit, now: float) -> int:
        window = limit.window
        first = window.slot(now) - window.slots
        return sum(amount for at, amount in self.charges.get(limit.bucket, []) if window.slot(at) > first)

    def _held(self, limit: Limit) -> int:
        held = 0
        for request in self.running.values():
            for other, amount in zip(request.ask.limits, request.ask.amounts, strict=True):
                if other.bucket == limit.bucket and other.unit != "request":
                    held += amount
        return held

    def _wait(self, limit: Limit, amount: int, now: float) -> float | None:
        if amount > limit.most:
            return None
        held = self._held(limit)
        certain = self._first_room(limit, amount, held, now)
        if certain is not None:
            return certain - now
        without_holds = self._first_room(limit, amount, 0, now)
        return max(HELD_SECONDS, (without_holds or now) - now)

    def _first_room(self, limit: Limit, amount: int, held: int, now: float) -> float | None:
        if self._charged(limit, now) + held + amount <= limit.most:
            return now
        leaves = {limit.window.leaves_at(limit.window.slot(at)) for at, _ in self.charges.get(limit.bucket, [])}
        moments = sorted(at for at in leaves if at > now)
        return next((at for at in moments if self._charged(limit, at) + held + amount <= limit.most), None)


def most_in_any_window(happened: list[tuple[float, int]], window: Window) -> int:
    """The largest sum of what happened in (t - length, t], over every t."""
    ordered = sorted(happened)
    most = inside = first = 0
    for at, amount in ordered:
        inside += amount
        while ordered[first][0] <= at - window.seconds:
            inside -= ordered[first][1]
            first += 1
        most = max(most, inside)
    return most
