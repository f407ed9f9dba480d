"""The figures of a run, as they are kept and read again. Computed by ``figures.py``."""

from __future__ import annotations

import msgspec


class Percentile(msgspec.Struct, frozen=True, kw_only=True):
    """An exact order statistic. ``upper``: bound that the true percentile does not exceed, at 99 % confidence."""

    percent: float  # 50, 90, 95, 99, 99.9
    value: float
    upper: float | None = None  # None: too few samples to bound it


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of one figure; unit by the name of the field that holds it. ``count`` 0: all others are None."""

    count: int = 0
    mean: float | None = None
    std: float | None = None  # sample standard deviation, n - 1
    least: float | None = None
    most: float | None = None
    percentiles: list[Percentile] = []

    def at(self, percent: float) -> float | None:
        """The value of a kept percentile; None where it was not kept."""
        return next((entry.value for entry in self.percentiles if entry.percent == percent), None)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Every planned request outside the warm-up, exactly once: ``offered`` is the sum of the four outcomes."""

    offered: int = 0
    ok: int = 0
    failed: int = 0
    cancelled: int = 0
    unfinished: int = 0
    warm_up: int = 0  # beside the others
    failures: dict[str, int] = {}  # by ``Failure``


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a run that the figures are about: requests *scheduled* in [begin, end), seconds since the start.

    ``stationary`` is None where it was not judged (too few requests). Slopes are per second, with 95 % intervals.
    """

    begin: float
    end: float
    stationary: bool | None = None
    in_flight_slope: tuple[float, float, float] | None = None  # low, estimate, high
    ttft_slope: tuple[float, float, float] | None = None

    @property
    def seconds(self) -> float:
        """Length."""
        return self.end - self.begin


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Asked against delivered, requests per second over the window; None for a closed loop."""

    asked_per_second: float | None = None
    delivered_per_second: float | None = None
    arrivals_p_value: float | None = None  # KS test of what was sent against the plan
    peak_in_flight: int = 0
    mean_in_flight: float = 0.0


class Goodput(msgspec.Struct, frozen=True, kw_only=True):
    """Against objectives, in seconds by name (ttft, tpot, itl, e2e). ``attained``: good requests of ``offered``."""

    objectives: dict[str, float]
    good: int
    offered: int
    per_second: float

    @property
    def attainment(self) -> float | None:
        """Share of all offered requests that was good, 0 to 1."""
        return self.good / self.offered if self.offered else None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The headline figures, over the window. Durations in seconds. Latencies are those of successful requests.

    ``*_scheduled``: from the planned time (what users feel); ``*_sent``: from the first byte sent (the server).
    """

    window: Window
    counts: Counts  # of the window
    load: Load
    request_throughput: float  # ok requests per second: (n - 1) / (last - first completion)
    completed_per_second: float  # ok requests that ended in the window, divided by its length
    output_throughput: float  # output tokens per second that arrived in the window, of all requests
    prompt_throughput: float  # prompt tokens per second of requests that began to answer in the window
    schedule_delay: Distribution
    ttft_scheduled: Distribution
    ttft_sent: Distribution
    ttfo_scheduled: Distribution
    e2e_scheduled: Distribution
    e2e_sent: Distribution
    itl: Distribution  # gaps between token frames
    tpot: Distribution  # (E2E - TTFT) / (output tokens - 1); requests with one token are left out
    ntpot: Distribution  # E2E / output tokens
    output_tokens: Distribution
    prompt_tokens: Distribution
    tokens_per_frame: Distribution
    goodput: Goodput | None = None

    @property
    def durations(self) -> list[tuple[str, Distribution]]:
        """What is shown to people, in seconds, with the words for it."""
        return [
            ("TTFT, from the planned time", self.ttft_scheduled),
            ("TTFT, from sending", self.ttft_sent),
            ("end to end, from the planned time", self.e2e_scheduled),
            ("end to end, from sending", self.e2e_sent),
            ("time per output token (TPOT)", self.tpot),
            ("gap between token frames (ITL)", self.itl),
            ("sent late by", self.schedule_delay),
        ]
