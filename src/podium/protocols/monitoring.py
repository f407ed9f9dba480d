"""Answers of the monitoring routes. Times are seconds since 1970; a value that is not known is null, never 0."""

from __future__ import annotations

from typing import Literal

import msgspec

from podium.protocols.recent_requests import RecentRequest

Span = Literal["5m", "1h", "24h"]
HealthStatus = Literal["healthy", "degraded", "unhealthy", "unknown"]
Points = list[float | None]
"""One value for each step of the answer's time axis, oldest first."""


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True):
    """Something that keeps the figures from being the whole truth."""

    subject: str
    sentence: str


class AlertBody(msgspec.Struct, frozen=True, kw_only=True):
    """One rule about one subject, now. ``since`` is when ``state`` began; ``value`` is in the rule's own unit."""

    rule: str
    severity: Literal["page", "ticket"]
    subject: str
    state: Literal["ok", "pending", "firing", "no data"]
    since: float
    sentence: str
    value: float | None
    fingerprint: str


class EpisodeBody(msgspec.Struct, frozen=True, kw_only=True):
    """An alert from when it fired until it ended; ``ended_at`` and ``end`` are null while it goes on."""

    rule: str
    severity: Literal["page", "ticket"]
    subject: str
    sentence: str
    fingerprint: str
    fired_at: float
    ended_at: float | None = None
    end: Literal["resolved", "no data"] | None = None


class AlertsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /monitoring/alerts``: every rule's state, what fires, and what has ended, the newest first."""

    alerts: list[AlertBody]
    firing: list[EpisodeBody]
    past: list[EpisodeBody]


class MonitoringHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /monitoring/health``.

    ``unhealthy``: an alert that pages fires. ``degraded``: another one does, or there are problems. ``unknown``: the
    monitor itself has learnt nothing for a while.
    """

    status: HealthStatus
    issues: list[str]
    age_seconds: float


class ReplicaBody(msgspec.Struct, frozen=True, kw_only=True):
    """One scraped process. ``age_seconds``: since it last answered; null when it never did. Levels are the newest."""

    name: str
    environment: str
    address: str
    state: Literal["unknown", "up", "stale", "down", "garbage", "refused"]
    problem: str
    age_seconds: float | None
    running: float | None = None
    waiting: float | None = None
    memory_bytes: float | None = None
    models_ready: float | None = None


class ModelBody(msgspec.Struct, frozen=True, kw_only=True):
    """One model over all replicas. Rates are per second, latencies in seconds, ratios 0 to 1."""

    name: str
    good: Points
    bad: Points
    excluded: Points
    ttft_p50: Points
    ttft_p95: Points
    ttft_p99: Points
    inter_token_p50: Points
    inter_token_p95: Points
    inter_token_p99: Points
    e2e_p50: Points
    e2e_p95: Points
    e2e_p99: Points
    prompt_tokens: Points
    output_tokens: Points
    running: Points
    waiting: Points
    cache_hit_rate: Points
    kv_ratio: Points
    memory_bytes: Points
    running_limit: float | None
    queue_limit: float | None
    replicas_ready: float | None
    worker_restarts: float | None
    replicas_failed: float | None


class EnvironmentSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that the gateway made in one environment, a second."""

    name: str
    attempts: Points
    failed_attempts: Points
    healthy: float | None
    servers: float | None


class BudgetWindow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest ``seconds``, of which ``known_seconds`` are known: after a start of the controller there are few.

    ``requests`` are good and bad ones, null where nothing is known; with none the rates are null. ``burn_rate`` 1 is as
    fast as the objective allows.
    """

    seconds: int
    known_seconds: float
    requests: float | None
    bad_ratio: float | None
    burn_rate: float | None


class BudgetBody(msgspec.Struct, frozen=True, kw_only=True):
    """The error budget: ``left`` is what is left of a day's, 0 to 1, negative when more was spent; null: unknown."""

    objective: float
    left: float | None
    windows: list[BudgetWindow]


class GpuBody(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU as a replica tells it, now; null is what is not known. Replicas of one machine tell the same GPUs."""

    replica: str
    gpu: str
    used_bytes: float | None
    size_bytes: float | None
    utilization_ratio: float | None
    watts: float | None


class GpusBody(msgspec.Struct, frozen=True, kw_only=True):
    """All GPUs together over time (the part of memory in use, the busiest one, their power), and each of them now."""

    memory_ratio: Points
    utilization_ratio: Points
    watts: Points
    now: list[GpuBody]


class SeenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that ended at a replica."""

    replica: str
    request: RecentRequest


class RequestSource(msgspec.Struct, frozen=True, kw_only=True):
    """How well a replica's requests are known: told ``age_seconds`` ago (null: never), and why not since then."""

    replica: str
    problem: str
    age_seconds: float | None


class RequestsBody(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of all replicas together: the slowest of the last ``window_seconds`` (null: nobody told), the newest."""

    window_seconds: float | None
    slowest: list[SeenRequest]
    newest: list[SeenRequest]
    sources: list[RequestSource]


class ScrapeTargets(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of ``GET /monitoring/targets``: admin ports as ``host:port``, and the labels that their series get.

    The shape is Prometheus's (https://prometheus.io/docs/prometheus/latest/http_sd/).
    """

    targets: list[str]
    labels: dict[str, str]


class DashboardAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /monitoring/dashboard?span=5m|1h|24h``.

    The last point belongs to ``at``, which is ``age_seconds`` ago, and each point before it is ``step_seconds`` older.
    ``good``, ``bad`` and ``excluded`` are requests that ended at the replicas, a second; ``gateway_*`` are what clients
    of the gateway saw.
    """

    at: float
    age_seconds: float
    span: Span
    step_seconds: int
    count: int
    status: HealthStatus
    problems: list[ProblemBody]
    good: Points
    bad: Points
    excluded: Points
    in_flight: Points
    gateway_requests: Points
    gateway_errors: Points
    retries: Points
    models: list[ModelBody]
    models_without_history: list[str]
    environments: list[EnvironmentSeries]
    replicas: list[ReplicaBody]
    firing: list[EpisodeBody]
    past: list[EpisodeBody]
    alerts: list[AlertBody]
    budget: BudgetBody
    gpus: GpusBody
    requests: RequestsBody
    kept_bytes: int
