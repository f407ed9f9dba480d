"""The GPUs of one replica, now: how full, how busy, and what power they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from podium.monitor.catalog import Key


@dataclass(frozen=True)
class GpuNow:
    """One GPU; None is what is not known, also of one whose replica does not answer any more."""

    number: str
    used_bytes: float | None = None
    size_bytes: float | None = None
    utilization: float | None = None
    watts: float | None = None


class Gpus:
    """GPUs by number, once they were seen. Power is the energy between two scrapes."""

    def __init__(self) -> None:
        self._known: dict[str, GpuNow] = {}
        self._joules: dict[str, tuple[float, float]] = {}

    @property
    def now(self) -> list[GpuNow]:
        """Every one that was ever seen, in the order of their numbers."""
        return [self._known[number] for number in sorted(self._known, key=int)]

    def learn(self, levels: Mapping[Key, float], at: float) -> None:
        """Take the present levels, by keys of the scope ``gpu``; ``at`` is a time of a clock that never goes back."""
        self.forget()
        for number in dict.fromkeys(key.subject for key in levels):
            told = {key.figure: value for key, value in levels.items() if key.subject == number}
            self._known[number] = GpuNow(
                number,
                told.get("used_bytes"),
                told.get("size_bytes"),
                told.get("utilization"),
                self._watts(number, told.get("joules"), at),
            )

    def forget(self) -> None:
        """Nothing is known of them now, but that they were there."""
        self._known = {number: GpuNow(number) for number in self._known}

    def _watts(self, number: str, joules: float | None, at: float) -> float | None:
        if joules is None:
            return None
        before = self._joules.get(number)
        self._joules[number] = joules, at
        if before is None or joules < before[0] or at <= before[1]:  # a driver that was loaded anew counts from 0
            return None
        return (joules - before[0]) / (at - before[1])
