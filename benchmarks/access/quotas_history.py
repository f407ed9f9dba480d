"""What clients were given, and the most of it in any window."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.access.borrowed import most_in_any_window
from podium.access.windows import MINUTE

Unit = Literal["tokens", "requests"]


@dataclass(frozen=True)
class Bound:
    """A quota: at most ``most`` of the unit in any 60 seconds, for these keys together."""

    name: str
    keys: tuple[str, ...]
    unit: Unit
    most: int


@dataclass
class History:
    """By key: tokens with the time when the client had them, and requests with when they were sent and answered."""

    tokens: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    requests: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def deliver(self, key: str, tokens: int) -> None:
        """The client of ``key`` has so many more tokens now."""
        self.tokens.setdefault(key, []).append((time.monotonic(), tokens))

    def admit(self, key: str, sent: float) -> None:
        """A request that was sent then is answered, and not refused, now."""
        self.requests.setdefault(key, []).append((sent, time.monotonic()))

    def most(self, bound: Bound) -> int:
        """The greatest amount in any window of a minute."""
        if bound.unit == "tokens":
            return most_in_any_window([one for key in bound.keys for one in self.tokens.get(key, [])], MINUTE)
        return most_within([one for key in bound.keys for one in self.requests.get(key, [])], MINUTE.seconds)

    def tokens_by_second(self, key: str, start: float) -> list[tuple[int, int]]:
        """Pairs of whole seconds since ``start`` and tokens."""
        counts: Counter[int] = Counter()
        for at, tokens in self.tokens.get(key, []):
            counts[int(at - start)] += tokens
        return sorted(counts.items())


def most_within(spans: list[tuple[float, float]], seconds: float) -> int:
    """The most spans that lie as a whole in one window: for these it is certain, whenever in it the server decided."""
    most = 0
    for _, end in spans:
        most = max(most, sum(end - seconds < begun and ended <= end for begun, ended in spans))
    return most
