"""The charts of one run: distributions, and everything that happened over time on one axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from podium.bench.figures import tpot
from podium.bench.page.chart import MOST_POINTS, Axis, Chart, Line
from podium.bench.page.run_view import RunView
from podium.bench.page.scale import seconds_text, share_text
from podium.bench.record import Outcome, RequestRecord
from podium.bench.sampling import Sample, tokens_per_second

_SHARES = Axis("", share_text, span=(0.0, 1.0))
_DURATION = Axis("", seconds_text, logarithmic=True)
_TIME_WIDTH, _TIME_HEIGHT = 1200, 190
_Of = Callable[[RequestRecord], float | None]


def distributions(view: RunView) -> list[Chart]:
    """Cumulative distributions of the requests that succeeded."""
    return [
        _cdf(
            view,
            "Time to first token",
            {
                "from the planned time": lambda record: record.since_scheduled(record.first_token_at),
                "from sending": lambda record: record.since_sent(record.first_token_at),
            },
        ),
        _cdf(
            view,
            "End to end",
            {
                "from the planned time": lambda record: record.since_scheduled(record.last_token_at),
                "from sending": lambda record: record.since_sent(record.last_token_at),
            },
        ),
        _cdf(view, "Time per output token (TPOT)", {"": tpot}),
        _gaps(view),
    ]


def _cdf(view: RunView, title: str, series: dict[str, _Of]) -> Chart:
    lines = [_cumulative(name, view.values(of)) for name, of in series.items()]
    return Chart(title, lines, _DURATION, _SHARES)


def _gaps(view: RunView) -> Chart:
    gaps = np.sort(np.array([b - a for record in view.measured for a, b in pairwise(record.token_at)]))
    return Chart("Gap between token frames (ITL)", [_cumulative("", gaps)], _DURATION, _SHARES)


def _cumulative(name: str, ordered: NDArray[np.float64]) -> Line:
    positive = ordered[ordered > 0]
    at = np.unique(np.linspace(0, len(positive) - 1, min(len(positive), MOST_POINTS)).round().astype(int))
    shares = (at + 1) / max(len(positive), 1)
    return Line(name, [float(value) for value in positive[at]], [float(share) for share in shares], "step")


def over_time(view: RunView) -> list[Chart]:
    """What happened when; the window that the figures are about is shaded."""
    at = [float(moment) for moment in view.moments()]
    flights = Line("in flight, as the client sees it", at, [float(count) for count in view.in_flight()])
    running = Line("running, as the server says", *view.sampled(lambda sample: sample.running))
    waiting = Line("waiting, as the server says", *view.sampled(lambda sample: sample.waiting))
    return [
        _timed(view, "Requests", [flights, running, waiting]),
        _timed(view, "Requests per second", _rates(view)),
        _timed(view, "Output tokens per second", [_tokens(view), _server_tokens(view)]),
        _timed(
            view, "Time to first token of each request", _first_tokens(view), Axis("", seconds_text, logarithmic=True)
        ),
        _timed(view, "Host and server", _ratios(view), Axis("", share_text, span=(0.0, 1.0))),
    ]


def _timed(view: RunView, title: str, lines: Sequence[Line], y: Axis | None = None) -> Chart:
    x = Axis("seconds since the start", span=(0.0, max(view.end, 1e-3)))
    shades = () if view.window is None else (view.window,)
    return Chart(title, lines, x, y or Axis(""), width=_TIME_WIDTH, height=_TIME_HEIGHT, shades=shades)


def _rates(view: RunView) -> list[Line]:
    ok = [record for record in view.records if record.outcome is Outcome.OK]
    failed = [record for record in view.records if record.outcome is Outcome.FAILED]
    lines = [
        _per_second(view, "sent", [record.sent_at for record in view.records]),
        _per_second(view, "answered", [record.ended_at for record in ok]),
    ]
    return [*lines, _per_second(view, "failed", [record.ended_at for record in failed])] if failed else lines


def _server_tokens(view: RunView) -> Line:
    start = view.started_unix
    inside = [(at - start, rate) for at, rate in tokens_per_second(view.samples) if 0 <= at - start <= view.end]
    return Line("delivered, as the server says", [at for at, _ in inside], [rate for _, rate in inside])


def _tokens(view: RunView) -> Line:
    stamps: list[float | None] = []
    for record in view.records:
        counts = record.frame_tokens or [1] * len(record.token_at)
        stamps += [at for at, count in zip(record.token_at, counts, strict=True) for _ in range(count)]
    return _per_second(view, "received", stamps)


def _per_second(view: RunView, name: str, stamps: Sequence[float | None]) -> Line:
    if not any(stamp is not None for stamp in stamps):
        return Line(name, [], [])
    at, counts = view.per_second(stamps)
    return Line(name, [float(moment) for moment in at], [float(count) for count in counts])


def _first_tokens(view: RunView) -> list[Line]:
    known = [(r.scheduled_at, r.since_scheduled(r.first_token_at)) for r in view.records]
    kept = [(at, value) for at, value in known if value is not None and value > 0]
    return [Line("", [at for at, _ in kept], [value for _, value in kept], "dots")]


def _ratios(view: RunView) -> list[Line]:
    names: dict[str, Callable[[Sample], float | None]] = {
        "processors of this host": lambda sample: sample.cpu_ratio,
        "memory of this host": lambda sample: sample.memory_ratio,
        "KV cache of the server": lambda sample: sample.kv_cache_ratio,
    }
    return [Line(name, *view.sampled(of)) for name, of in names.items()]
