"""Latencies as figures, and as histograms that fit a raw file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from benchmarks.serving.timings import quantile

BUCKETS_A_DOUBLING = 32


def milliseconds(seconds: Iterable[float]) -> dict[str, float]:
    """Count, median, 99th percentile and worst, in milliseconds."""
    ordered = sorted(seconds)
    return {
        "count": len(ordered),
        "p50_ms": round(1000 * quantile(ordered, 0.5), 4),
        "p99_ms": round(1000 * quantile(ordered, 0.99), 4),
        "max_ms": round(1000 * (ordered[-1] if ordered else 0.0), 4),
    }


def histogram(seconds: Iterable[float]) -> list[tuple[int, int]]:
    """Pairs: microseconds, and how many took at most that and more than the pair before; bounds grow by 2 %."""
    counts = Counter(math.ceil(BUCKETS_A_DOUBLING * math.log2(max(1.0, 1e6 * value))) for value in seconds)
    return [(round(2 ** (bucket / BUCKETS_A_DOUBLING)), count) for bucket, count in sorted(counts.items())]
