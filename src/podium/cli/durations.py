"""Lengths of time and points in time, as people write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[smhdw])\Z")


def seconds_in(text: str, option: str) -> float:
    """``90d`` in seconds; ``0`` is none. ``option`` is named in the failure for anything else."""
    if text == "0":
        return 0.0
    match = _DURATION.match(text)
    if match is None:
        raise Failure(
            f"{option} {text}: a number and a unit is needed: 30s, 15m, 12h, 90d or 4w",
            ExitCode.USAGE,
        )
    return float(int(match["count"]) * _SECONDS[match["unit"]])


def time_text(unix_seconds: float | None) -> str | None:
    """A point in time as ``2026-11-23 14:05 UTC``; None stays None."""
    if unix_seconds is None:
        return None
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def clock_text(unix_seconds: float) -> str:
    """The time of day of a point in time, in UTC: ``14:05:09``."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%H:%M:%S")


def duration_text(seconds: float) -> str:
    """A length of time in its two largest units: ``9 s``, ``3 min 5 s``, ``1 h 4 min``, ``2 d 3 h``."""
    whole = max(0, round(seconds))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts: list[tuple[int, str]] = []
    for name, size in units:
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append((count, name))
    shown = [f"{count} {name}" for count, name in parts[:2] if count]
    return " ".join(shown) or "0 s"
