"""What is remembered of requests that ended lately: the slowest, and the newest. Bounded, whatever comes."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator

from podium.api.record import RequestRecord
from podium.protocols.recent_requests import RecentRequest, RecentRequestsAnswer

MOST_NEWEST = 50
MOST_SLOWEST = 20
SPAN_SECONDS = 60.0
SPANS = 10
"""The slowest of each minute are kept for ten minutes, so that none is missing when a slower one grows old."""

_Slow = tuple[float, int, RecentRequest]


class RecentRequests:
    """The last requests that ended. ``wall_clock``: seconds since 1970."""

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._newest: deque[RecentRequest] = deque(maxlen=MOST_NEWEST)
        self._spans: deque[tuple[int, list[_Slow]]] = deque(maxlen=SPANS + 1)
        self._count = 0

    def note(self, record: RequestRecord) -> None:
        """Remember a request that has just ended. Holds nothing of ``record`` but figures and names."""
        now = self._wall_clock()
        told = _told(record, now)
        self._newest.append(told)
        self._count += 1
        slowest = self._span(now)
        entry = (told.e2e_seconds, self._count, told)  # the count tells equals apart
        if len(slowest) < MOST_SLOWEST:
            heapq.heappush(slowest, entry)
        else:
            heapq.heappushpop(slowest, entry)

    def answer(self) -> RecentRequestsAnswer:
        """What is remembered now."""
        slowest = heapq.nlargest(MOST_SLOWEST, self._slow())
        return RecentRequestsAnswer(
            window_seconds=SPANS * SPAN_SECONDS,
            slowest=[told for _, _, told in slowest],
            newest=list(reversed(self._newest)),
        )

    def _span(self, now: float) -> list[_Slow]:
        number = int(now // SPAN_SECONDS)
        if not self._spans or self._spans[-1][0] != number:
            self._spans.append((number, []))
        return self._spans[-1][1]

    def _slow(self) -> Iterator[_Slow]:
        oldest = self._wall_clock() - SPANS * SPAN_SECONDS
        for _, entries in self._spans:
            yield from (entry for entry in entries if entry[2].at > oldest)


def _told(record: RequestRecord, now: float) -> RecentRequest:
    return RecentRequest(
        at=now,
        request_id=record.request_id,
        trace_id=_trace_id(record),
        route=record.route,
        model=record.model,
        version=record.version,
        status=record.status,
        outcome=record.outcome,
        error_code=record.error_code,
        stream=record.stream,
        cache=record.cache_status,
        finish_reason=record.finish_reason,
        prompt_tokens=record.usage.prompt_tokens,
        output_tokens=record.usage.completion_tokens,
        queue_seconds=record.queue_seconds,
        ttft_seconds=record.ttft_seconds,
        e2e_seconds=round(record.e2e_seconds, 6),
    )


def _trace_id(record: RequestRecord) -> str | None:
    """Of a trace that somebody records; a record without traces has none."""
    trace = getattr(record, "trace", None)
    return None if trace is None or not trace.sampled else str(trace.trace_id)
