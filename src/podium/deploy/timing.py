"""Every duration of a pod's life, computed from the settings, and what must hold between them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from podium.config.settings import Settings
from podium.deploy.inequality import Inequality
from podium.deploy.sources import hub_ids

STARTUP_PERIOD_SECONDS = 10
LIVENESS_PERIOD_SECONDS = 5
LIVENESS_TIMEOUT_SECONDS = 5
READINESS_PERIOD_SECONDS = 2
READINESS_TIMEOUT_SECONDS = 2
READINESS_FAILURES = 2
FEWEST_LIVENESS_FAILURES = 2
DEAD_AFTER_STALLS = 2
"""``/livez`` fails after this many stall thresholds: after one, the server itself replaces the worker."""
MOST_STABILIZATION_SECONDS = 3600  # what the HPA accepts
LEAST_STABILIZATION_SECONDS = 300
DEADLINE_MARGIN_SECONDS = 300  # for scheduling a pod and pulling its image


@dataclass(frozen=True)
class Timings:
    """Seconds, except ``..._failures``, which are probes in a row."""

    pre_stop_seconds: int
    drain_seconds: int
    longest_stream_seconds: int
    grace_seconds: int
    load_seconds: int
    startup_failures: int
    liveness_failures: int
    progress_deadline_seconds: int
    scale_down_seconds: int
    fetch_seconds: int

    @property
    def startup_seconds(self) -> int:
        """How long a pod may take to start."""
        return self.startup_failures * STARTUP_PERIOD_SECONDS


def timings_of(settings: Settings) -> Timings:
    """The durations of ``settings``; what is given there is kept, also where it breaks a relation."""
    given, server = settings.deploy.timing, settings.server
    drain = math.ceil(server.drain_seconds) if "drain_seconds" in server.model_fields_set else 0
    drain = drain or given.longest_stream_seconds
    loads = loads_at_start(settings)
    startup = given.startup_seconds or loads * max(2 * given.slowest_load_seconds, math.ceil(server.load_seconds))
    failures = math.ceil(startup / STARTUP_PERIOD_SECONDS)
    budget = failures * STARTUP_PERIOD_SECONDS
    stall = DEAD_AFTER_STALLS * server.stall_seconds
    fetch = settings.deploy.weights.fetch_seconds if hub_ids(settings.models) else 0
    computed_scale_down = max(given.longest_stream_seconds, LEAST_STABILIZATION_SECONDS)
    return Timings(
        pre_stop_seconds=given.route_propagation_seconds,
        drain_seconds=drain,
        longest_stream_seconds=given.longest_stream_seconds,
        grace_seconds=given.grace_seconds or given.route_propagation_seconds + drain + given.stop_margin_seconds,
        load_seconds=math.ceil(server.load_seconds),
        startup_failures=failures,
        liveness_failures=max(1, math.floor((given.hang_seconds - stall) / LIVENESS_PERIOD_SECONDS)),
        progress_deadline_seconds=given.progress_deadline_seconds or fetch + budget + DEADLINE_MARGIN_SECONDS,
        scale_down_seconds=settings.deploy.autoscaling.scale_down_seconds or computed_scale_down,
        fetch_seconds=fetch,
    )


def loads_at_start(settings: Settings) -> int:
    """How many models a server loads before it is ready, one after the other; at least 1."""
    return max(1, sum(model.load == "start" for model in settings.models))


def timing_inequalities(settings: Settings, timings: Timings) -> Iterator[Inequality]:
    """What must hold between the durations."""
    yield from _of_the_drain(settings, timings)
    yield from _of_the_start(settings, timings)
    stall = settings.server.stall_seconds
    yield Inequality(
        {"hang_seconds": settings.deploy.timing.hang_seconds},
        ">=",
        {
            f"{DEAD_AFTER_STALLS} * server.stall_seconds": DEAD_AFTER_STALLS * stall,
            "probe period * failures": LIVENESS_PERIOD_SECONDS
            * max(timings.liveness_failures, FEWEST_LIVENESS_FAILURES),
        },
        "a pod that hangs would be found later than you want, or be restarted for one missed probe",
        "Raise deploy.timing.hang_seconds or lower server.stall_seconds.",
    )  # fmt: skip
    if settings.deploy.autoscaling.kind != "none":
        yield from _of_the_scaler(timings)


def _of_the_drain(settings: Settings, timings: Timings) -> Iterator[Inequality]:
    margin = settings.deploy.timing.stop_margin_seconds
    yield Inequality(
        {"server.drain_seconds": timings.drain_seconds},
        ">=",
        {"longest_stream_seconds": timings.longest_stream_seconds},
        "a server would cut streams that it promised to finish",
        "Raise server.drain_seconds (or leave it out) or lower deploy.timing.longest_stream_seconds.",
    )
    yield Inequality(
        {"grace_seconds": timings.grace_seconds},
        ">=",
        {
            "route_propagation_seconds": timings.pre_stop_seconds,
            "drain_seconds": timings.drain_seconds,
            "stop_margin_seconds": margin,
        },
        "the pod would be killed while streams run",
        "Raise deploy.timing.grace_seconds or leave it out.",
    )


def _of_the_start(settings: Settings, timings: Timings) -> Iterator[Inequality]:
    loads, slowest = loads_at_start(settings), settings.deploy.timing.slowest_load_seconds
    yield Inequality(
        {"startup_seconds": timings.startup_seconds},
        ">=",
        {f"2 * {loads} * slowest_load_seconds": 2 * loads * slowest},
        "a slow load would be killed and begun again, for ever",
        "Raise deploy.timing.startup_seconds or leave it out.",
    )
    yield Inequality(
        {"startup_seconds": timings.startup_seconds},
        ">=",
        {f"{loads} * server.load_seconds": loads * timings.load_seconds},
        "the pod would be killed before the server itself gives a load up",
        "Raise deploy.timing.startup_seconds or lower server.load_seconds.",
    )
    yield Inequality(
        {"progress_deadline_seconds": timings.progress_deadline_seconds},
        ">",
        {
            **({"weights.fetch_seconds": timings.fetch_seconds} if timings.fetch_seconds else {}),
            "startup_seconds": timings.startup_seconds,
        },
        "a good rollout would be marked as failed while it loads",
        "Raise deploy.timing.progress_deadline_seconds or leave it out.",
    )


def _of_the_scaler(timings: Timings) -> Iterator[Inequality]:
    yield Inequality(
        {"scale_down_seconds": timings.scale_down_seconds},
        ">=",
        {"longest_stream_seconds": timings.longest_stream_seconds},
        "pods would be taken away more often than streams end",
        "Raise deploy.autoscaling.scale_down_seconds or leave it out.",
    )
    yield Inequality(
        {"scale_down_seconds": timings.scale_down_seconds},
        "<=",
        {"the most an autoscaler accepts": MOST_STABILIZATION_SECONDS},
        "the autoscaler would refuse it",
        "Lower deploy.autoscaling.scale_down_seconds, or longest_stream_seconds.",
    )
