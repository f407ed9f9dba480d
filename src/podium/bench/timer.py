"""Waking up on time. Event loops round their timers up to a millisecond; the kernel need not."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import math
import os
import sys
import time
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_TIMER_ABSTIME = 1


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Timer:
    """Calls ``wake`` once after each ``arm``. On Linux a timer of the kernel, elsewhere the loop's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop = loop
        self._wake = wake
        self._handle: asyncio.TimerHandle | None = None
        self._fd = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._read)

    def arm(self, at: float) -> None:
        """Wake at ``at`` (``time.monotonic``); at once when that is past. Replaces what was armed."""
        if self._fd < 0:
            self.disarm()
            self._handle = self._loop.call_later(max(0.0, at - time.monotonic()), self._wake)
            return
        fraction, whole = math.modf(at)
        self._set(int(whole), max(1, int(fraction * 1e9)))

    def disarm(self) -> None:
        """Do not wake."""
        if self._fd >= 0:
            self._set(0, 0)
        elif self._handle is not None:
            self._handle.cancel()

    def close(self) -> None:
        """Free what the timer holds."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        elif self._handle is not None:
            self._handle.cancel()

    def _set(self, seconds: int, nanoseconds: int) -> None:
        spec = _Spec(0, 0, seconds, nanoseconds)
        self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 8)
        self._wake()
