"""Evidence over time, in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(logs: Sequence[float], alarm: float, *, columns: int) -> str:
    """Logarithms over time, the highest of each stretch; 0 or less is the lowest block, ``alarm`` the highest."""
    size = max(1, math.ceil(len(logs) / columns))
    highest = [max(logs[begin : begin + size]) for begin in range(0, len(logs), size)]
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[min(top, max(0, math.floor(log / alarm * top)))] for log in highest)
