"""Waiting for something outside this process, with an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.02


def until(what: str, probe: Callable[[], T | None], *, seconds: float = 10.0) -> T:
    """The first truthy value of ``probe``; an ``AssertionError`` naming ``what`` after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(_PAUSE_SECONDS)


async def soon(what: str, probe: Callable[[], T | None], *, seconds: float = 10.0) -> T:
    """``until``, for something that tasks of the running loop bring about."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        await asyncio.sleep(_PAUSE_SECONDS)
