"""From arrival times to the figures of the tables."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Timed:
    """One request as its caller saw it: seconds since the start of the run, one entry for each arrival.

    ``arrivals`` holds (time, pieces that came together); ``output_tokens`` is the server's own count.
    """

    sent: float
    prompt_tokens: int
    output_tokens: int = 0
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    ended: float = 0.0
    error: str | None = None
    token_ids: tuple[int, ...] = ()

    @property
    def first(self) -> float:
        """When the first token came."""
        return self.arrivals[0][0]

    @property
    def last(self) -> float:
        """When the last token came."""
        return self.arrivals[-1][0]

    @property
    def pieces(self) -> int:
        """Events with tokens; fewer than tokens when the server put several into one."""
        return sum(count for _, count in self.arrivals)

    def gaps(self) -> list[float]:
        """Seconds between pieces; pieces that arrive together have no gap between them."""
        times = [time for time, count in self.arrivals for _ in range(count)]
        return [later - earlier for earlier, later in itertools.pairwise(times)]


def summary(requests: Sequence[Timed]) -> dict[str, float]:
    """The figures of one run. Raises ``ValueError`` when a request failed: such a run counts for nothing."""
    failed = [request.error for request in requests if request.error is not None]
    if failed:
        raise ValueError(f"{len(failed)} of {len(requests)} requests failed: {failed[0]}")
    start = min(request.sent for request in requests)
    wall = max(request.last for request in requests) - start
    tokens = sum(request.output_tokens for request in requests)
    gaps = sorted(gap for request in requests for gap in request.gaps())
    firsts = sorted(request.first - request.sent for request in requests)
    paces = [
        (request.last - request.first) / (request.output_tokens - 1)
        for request in requests
        if request.output_tokens > 1
    ]
    return {
        "requests": len(requests),
        "wall_seconds": wall,
        "output_tokens": tokens,
        "output_tokens_per_second": tokens / wall,
        "pieces_per_token": sum(request.pieces for request in requests) / tokens,
        "ttft_p50_seconds": quantile(firsts, 0.5),
        "ttft_p95_seconds": quantile(firsts, 0.95),
        "itl_p50_seconds": quantile(gaps, 0.5),
        "itl_p95_seconds": quantile(gaps, 0.95),
        "itl_max_seconds": gaps[-1] if gaps else 0.0,
        "tpot_p50_seconds": statistics.median(paces) if paces else 0.0,
    }


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the ordered values lie (nearest rank); 0 for none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
