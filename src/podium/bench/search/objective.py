"""What a rate must keep to count: ``ttft p95 < 500ms``, ``failures < 1%``."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from podium.bench.figures import is_good, window_of
from podium.bench.plan import OBJECTIVES, RunPlan
from podium.bench.record import Outcome, RequestRecord
from podium.bench.search.attainment import criterion
from podium.bench.search.history import Probe
from podium.bench.summary import Window
from podium.core.errors import InvalidRequest

_LATENCY = re.compile(
    r"(?P<name>[a-z0-9]+)\s+p(?P<percent>\d+(?:\.\d+)?)\s*<=?\s*(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>ms|s)\Z"
)
_FAILURES = re.compile(r"failures\s*<=?\s*(?P<percent>\d+(?:\.\d+)?)\s*%\Z")
_KEEPING_UP = 0.97
"""A server that finishes less than this share of what it is sent, while its queue grows, is overloaded."""


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """At most the share ``allowed`` of all offered requests may fail or take more than ``seconds`` (None: may fail)."""

    name: str
    allowed: float
    seconds: float | None = None

    @property
    def text(self) -> str:
        """As a person writes it."""
        if self.seconds is None:
            return f"failures < {100 * self.allowed:g}%"
        return f"{self.name} p{100 * (1 - self.allowed):g} < {self.seconds * 1000:g}ms"

    def bad(self, records: Sequence[RequestRecord]) -> NDArray[np.bool_]:
        """Which requests miss it; one that failed misses every objective."""
        if self.seconds is None:
            return np.array([record.outcome is not Outcome.OK for record in records], dtype=bool)
        return np.array([not is_good(record, {self.name: self.seconds}) for record in records], dtype=bool)


def parse_objective(text: str) -> Objective:
    """The objective that ``text`` says. Raises ``InvalidRequest`` when it is none."""
    plain = text.strip().lower()
    if match := _FAILURES.match(plain):
        allowed = float(match["percent"]) / 100
        if 0 < allowed < 1:
            return Objective(name="failures", allowed=allowed)
    if (match := _LATENCY.match(plain)) and match["name"] in OBJECTIVES and 0 < float(match["percent"]) < 100:
        seconds = float(match["value"]) / (1000 if match["unit"] == "ms" else 1)
        return Objective(name=match["name"], allowed=round(1 - float(match["percent"]) / 100, 9), seconds=seconds)
    raise InvalidRequest(
        f"{text!r} is no objective; write `ttft p95 < 500ms` (with {', '.join(OBJECTIVES)}) or `failures < 1%`"
    )


def probe_of(records: Sequence[RequestRecord], plan: RunPlan, objectives: Sequence[Objective], run: str) -> Probe:
    """What a run at ``plan.load.rate`` says about the objectives."""
    window = window_of(records, plan)
    inside = sorted(
        (r for r in records if not r.warm_up and window.begin <= r.scheduled_at < window.end),
        key=lambda record: record.scheduled_at,
    )
    return Probe(
        rate=plan.load.rate,
        criteria=[criterion(one.text, one.bad(inside), one.allowed) for one in objectives],
        overloaded=_overloaded(records, inside, window),
        drifting=_rises(window.in_flight_slope) and _rises(window.ttft_slope),
        seconds=plan.warm_up_seconds + plan.load.seconds,
        run=run,
    )


def _overloaded(records: Sequence[RequestRecord], inside: Sequence[RequestRecord], window: Window) -> bool:
    ended = sum(r.ended_at is not None and window.begin <= r.ended_at < window.end for r in records)
    return _rises(window.in_flight_slope) and ended < _KEEPING_UP * len(inside)


def _rises(slope: tuple[float, float, float] | None) -> bool:
    return slope is not None and slope[0] > 0
