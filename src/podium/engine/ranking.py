"""Things in order of a rank that changes."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

Rank = tuple[float, int]
"""Lower comes first; the second number decides between equals."""

SPARE_ENTRIES = 32  # outdated entries that are not worth a sweep


class Ranking(Generic[T]):
    """A set, lowest rank first. Every change costs O(log n) on average; memory stays within a constant of the set's."""

    __slots__ = ("_heap", "_places", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[Rank, int, T]] = []
        self._places: dict[T, tuple[Rank, int, T]] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[T]:
        return iter(self._places)

    def place(self, item: T, rank: Rank) -> None:
        """Put ``item`` at ``rank``, wherever it was before."""
        self._serial += 1
        self._places[item] = entry = (rank, self._serial, item)
        heapq.heappush(self._heap, entry)
        self._sweep()

    def remove(self, item: T) -> None:
        """Forget ``item``; nothing happens when it is not there."""
        if self._places.pop(item, None) is not None:
            self._sweep()

    def first(self) -> T | None:
        """The item of the lowest rank; None when there is none."""
        heap, places = self._heap, self._places
        while heap:
            entry = heap[0]
            if places.get(entry[2]) is entry:
                return entry[2]
            heapq.heappop(heap)
        return None

    def _sweep(self) -> None:
        if len(self._heap) > 2 * len(self._places) + SPARE_ENTRIES:
            self._heap = list(self._places.values())
            heapq.heapify(self._heap)
