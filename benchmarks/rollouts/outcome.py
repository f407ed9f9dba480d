"""What a record says about a rule: how often it acted, and when."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.rollouts.traffic import INTERVAL_SECONDS


def acted_share(acted: Mapping[str, int]) -> float:
    """The share of runs in which it acted."""
    return 1 - acted.get("-1", 0) / sum(acted.values())


def standard_error(acted: Mapping[str, int]) -> float:
    """One standard deviation of that share."""
    share = acted_share(acted)
    return math.sqrt(share * (1 - share) / sum(acted.values()))


def median_place(acted: Mapping[str, int]) -> int | None:
    """The number (from 1) of the interval or batch in which half of *all* runs had acted; None when fewer ever did."""
    total, seen = sum(acted.values()), 0
    for place, count in sorted((int(place), count) for place, count in acted.items()):
        if place >= 0:
            seen += count
            if seen * 2 >= total:
                return place + 1
    return None


def median_minutes(acted: Mapping[str, int]) -> float | None:
    """The minute in which half of all runs had acted."""
    place = median_place(acted)
    return None if place is None else place * INTERVAL_SECONDS / 60


def shares_by_minute(record: Mapping[str, Any], rule: str) -> list[tuple[float, float]]:
    """The share of runs in which a rule had acted, in percent, after each minute."""
    acted, runs = record["acted"][rule], record["runs"]
    minutes = round(record["case"]["minutes"])
    ends = {int(place): count for place, count in acted.items() if int(place) >= 0}
    per_minute = round(60 / INTERVAL_SECONDS)
    return [
        (minute, 100 * sum(count for place, count in ends.items() if place < minute * per_minute) / runs)
        for minute in range(minutes + 1)
    ]
