"""Sliding windows made of slots: how much was used lately, what is held, and when there will be room.

An amount lies in the slot of its time, and the slot leaves the window as a whole, after at least the promised
length. So a window errs by up to one slot, always towards the limit.
"""

from __future__ import annotations

import msgspec

from podium.core.standing import QuotaName

HELD_SECONDS = 1.0
"""What is held becomes free when its request ends, which nobody knows: ask again after this."""


class Window(msgspec.Struct, frozen=True):
    """``slots`` slots of ``slot_seconds`` each; one of them is for the slot that has just begun.

    Without slots nothing is remembered, only held.
    """

    name: str
    slot_seconds: float
    slots: int

    @property
    def seconds(self) -> float:
        """The length that is promised; 0 where nothing is remembered."""
        return max(0, self.slots - 1) * self.slot_seconds

    def slot(self, at: float) -> int:
        """Number of the slot that ``at`` (seconds of the clock in use) lies in."""
        return int(at // self.slot_seconds)

    def leaves_at(self, slot: int) -> float:
        """When what lies in ``slot`` no longer counts."""
        return (slot + self.slots) * self.slot_seconds


NOW = Window("now", 1.0, 0)
MINUTE = Window("minute", 1.0, 61)
DAY = Window("day", 900.0, 97)
THIRTY_DAYS = Window("30_days", 21_600.0, 121)

WINDOWS: dict[QuotaName, Window] = {
    "requests_per_minute": MINUTE,
    "tokens_per_minute": MINUTE,
    "tokens_per_day": DAY,
    "concurrent_requests": NOW,
    "budget_per_day": DAY,
    "budget_per_30_days": THIRTY_DAYS,
}


class Bucket:
    """What was charged in each slot of one window, and what is held for requests that run.

    Integers only. ``roll`` comes first in every use: it brings the bucket to the present. For a clock that goes
    back, time stands still here until it has caught up: nothing leaves early, nothing is lost.
    """

    __slots__ = ("_last", "_newest", "_now", "_ring", "held", "total", "window")

    def __init__(self, window: Window, now: float) -> None:
        self.window = window
        self.held = 0
        self.total = 0
        self._ring = [0] * window.slots
        self._now = now
        self._last = self._newest = int(now // window.slot_seconds)

    def roll(self, now: float) -> None:
        """Let slots that have left the window go."""
        if now <= self._now:
            return
        self._now = now
        slot, last = int(now // self.window.slot_seconds), self._last
        if slot == last:
            return
        self._last = slot
        if self.total:
            self._forget(last, slot)

    def charge(self, amount: int, *, age_seconds: float = 0.0) -> None:
        """Count ``amount`` now, or ``age_seconds`` ago; before the window it counts for nothing."""
        slot, slots = self._last, self.window.slots
        if age_seconds:
            slot = self.window.slot(self._now - age_seconds)
        if not amount or slot <= self._last - slots:
            return
        if slot > self._newest or not self.total:
            self._newest = slot
        self._ring[slot % slots] += amount
        self.total += amount

    def release(self, amount: int) -> None:
        """Hold ``amount`` less."""
        self.held = max(0, self.held - amount)

    @property
    def used(self) -> int:
        """Charged and held together."""
        return self.total + self.held

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return not (self.total or self.held)

    def wait_seconds(self, amount: int, most: int, now: float) -> float:
        """How long until ``amount``, itself at most ``most``, has room under ``most``; 0 when it has.

        The answer is certain, if nobody else comes, as long as what is charged stands in the way: slots leave at
        known times, and what is held can only become less. Where holds stand in the way as well, it is the time
        when the slots would leave room without them, at least ``HELD_SECONDS``.
        """
        short = self.used + amount - most
        if short <= 0:
            return 0.0
        if short <= self.total:
            return self._leaving_seconds(short, now)
        without_holds = short - self.held
        return max(HELD_SECONDS, self._leaving_seconds(without_holds, now))

    def reset_seconds(self, now: float) -> float:
        """When all is free if nobody else comes and what is held ended now; held alone: ``HELD_SECONDS``."""
        window = self.window
        if not window.slots:
            return HELD_SECONDS if self.held else 0.0
        if self.held:
            return window.leaves_at(self._last) - now
        return window.leaves_at(self._newest) - now if self.total else 0.0

    def _forget(self, last: int, slot: int) -> None:
        slots, ring = self.window.slots, self._ring
        if slot - last >= slots:
            self._ring = [0] * slots
            self.total = 0
            return
        for gone in range(last + 1, slot + 1):
            index = gone % slots
            if ring[index]:
                self.total -= ring[index]
                ring[index] = 0

    def _leaving_seconds(self, amount: int, now: float) -> float:
        """When the oldest slots that hold ``amount`` together have left; 0 for no amount."""
        if amount <= 0:
            return 0.0
        left, slots = 0, self.window.slots
        for slot in range(self._last - slots + 1, self._last + 1):
            left += self._ring[slot % slots]
            if left >= amount:
                return self.window.leaves_at(slot) - now
        raise AssertionError("more than there is was asked to leave; this is a bug")
