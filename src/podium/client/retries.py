"""When a failed call is tried again, and after how long. Pure: nothing here waits."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import httpx

_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_LEAST_SECONDS = 0.5
_MOST_SECONDS = 8.0


@dataclass(frozen=True)
class Retries:
    """How often a call is tried again (``most``), and the longest wait that the server may ask for.

    A longer one is not waited for: the call fails, and the error tells it. Without a wish of the server the wait is
    half a second, doubled each time up to eight, and shortened by chance by up to a half.
    """

    most: int = 2
    longest_wait_seconds: float = 60.0
    chance: random.Random = field(default_factory=random.Random, compare=False)

    def wait_seconds(self, tried: int, response: httpx.Response | None) -> float | None:
        """How long to wait before another try, or None for no more. ``tried`` counts those that failed before this one.

        ``response`` None: there was no answer.
        """
        if tried >= self.most or (response is not None and not _may_help(response)):
            return None
        asked = None if response is None else retry_after_seconds(response)
        if asked is not None:
            return asked if asked <= self.longest_wait_seconds else None
        longest = min(_MOST_SECONDS, _LEAST_SECONDS * 2.0**tried)
        return longest * (1 - self.chance.random() / 2)


def retry_after_seconds(response: httpx.Response) -> float | None:
    """When the server wants to be asked again: ``retry-after-ms``, else ``retry-after`` where it is a number."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        given = response.headers.get(name, "")
        if given.isascii() and given.isdigit():
            return int(given) / unit
    return None


def _may_help(response: httpx.Response) -> bool:
    """The server knows best: it says ``x-should-retry: false`` where no wait helps."""
    said = response.headers.get("x-should-retry")
    return said == "true" if said is not None else response.status_code in _STATUSES
