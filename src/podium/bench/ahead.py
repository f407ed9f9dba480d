"""Requests that are made before they are due: making one takes the processor, at the worst moment just after a send.

A server on the same machine may have been woken on the same core, and runs only when the client sleeps.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

MOST = 16
PAUSE_SECONDS = 0.002  # after a send, before the next is made

T = TypeVar("T")


class Ahead(Generic[T]):
    """At most ``MOST`` of what ``make`` gives, in its order; ``make`` gives None when there is nothing more.

    One is made at once, the others one by one in callbacks of their own. ``close`` makes no more.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, make: Callable[[], T | None]) -> None:
        self._loop = loop
        self._make = make
        self._made: deque[T] = deque()
        self._over = False
        self._handle: asyncio.Handle | None = None
        self._one()
        self._after(0.0)

    @property
    def first(self) -> T | None:
        """The next one, made now if none waits; None at the end."""
        if not self._made:
            self._one()
        return self._made[0] if self._made else None

    def drop(self) -> None:
        """Take the first away; another is made when the loop has had ``PAUSE_SECONDS`` for itself."""
        self._made.popleft()
        self._after(PAUSE_SECONDS)

    def close(self) -> None:
        """Make no more."""
        self._over = True
        if self._handle is not None:
            self._handle.cancel()

    def _after(self, seconds: float) -> None:
        if self._handle is None and not self._over:
            self._handle = self._loop.call_later(seconds, self._refill)

    def _refill(self) -> None:
        self._handle = None
        if len(self._made) < MOST:
            self._one()
            self._after(0.0)

    def _one(self) -> None:
        made = None if self._over else self._make()
        if made is None:
            self._over = True
        else:
            self._made.append(made)
