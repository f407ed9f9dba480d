"""The monitor's knowledge as the monitoring routes tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from podium.monitor.alerts import Alert, Episode, worst
from podium.monitor.catalog import HISTOGRAMS, Key
from podium.monitor.monitor import Monitor
from podium.monitor.own_metrics import ControlPlane, NoControlPlane, exposition
from podium.monitor.recent import RecentWatch
from podium.monitor.rules import BURNS
from podium.monitor.target import Target
from podium.monitor.webhooks import Deliveries
from podium.monitor.windows import Steps, Windows, everything
from podium.protocols.monitoring import (
    AlertBody,
    AlertsAnswer,
    BudgetBody,
    BudgetWindow,
    DashboardAnswer,
    EnvironmentSeries,
    EpisodeBody,
    GpuBody,
    GpusBody,
    HealthStatus,
    ModelBody,
    MonitoringHealth,
    Points,
    ProblemBody,
    ReplicaBody,
    RequestsBody,
    RequestSource,
    ScrapeTargets,
    SeenRequest,
    Span,
)
from podium.protocols.recent_requests import RecentRequest

SPANS: dict[Span, Steps] = {
    "5m": Steps(count=150, seconds=2, window_seconds=10),
    "1h": Steps(count=180, seconds=20, window_seconds=20),
    "24h": Steps(count=144, seconds=600, window_seconds=600),
}
BUDGET_SECONDS = tuple(burn.long_seconds for burn in BURNS)
UNKNOWN_AFTER_SECONDS = 5.0
_DIGITS = 4
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class MonitorView:
    """``Monitoring`` of ``podium.api.control.control``."""

    def __init__(
        self,
        monitor: Monitor,
        deliveries: Deliveries | None = None,
        recent: RecentWatch | None = None,
        *,
        plane: ControlPlane | None = None,
        objective: float = 0.99,
    ) -> None:
        self._objective = objective
        self._monitor = monitor
        self._deliveries = deliveries or Deliveries(())
        self._plane = plane or NoControlPlane()
        self._recent = recent or RecentWatch()

    def health(self) -> MonitoringHealth:
        """Whether all is well, and what is not."""
        monitor = self._monitor
        fired = [episode.alert for episode in monitor.alerts.firing]
        issues = [f"{alert.rule} {alert.subject}: {alert.sentence}" for alert in fired]
        issues += [f"{problem.subject}: {problem.sentence}" for problem in monitor.problems]
        return MonitoringHealth(status=self._status(), issues=issues, age_seconds=round(monitor.age_seconds, 3))

    def alerts(self) -> AlertsAnswer:
        """Every rule's state, what fires, and what has ended."""
        book = self._monitor.alerts
        return AlertsAnswer(
            alerts=[_alert(alert) for alert in book.alerts],
            firing=[_episode(episode) for episode in book.firing],
            past=[_episode(episode) for episode in book.past],
        )

    def scrape_targets(self) -> list[ScrapeTargets]:
        """The servers whose metrics it reads, by environment; gateways are not among them."""
        found: dict[str, list[str]] = {}
        for target in self._monitor.targets:
            if target.environment:
                found.setdefault(target.environment, []).append(target.address.partition("://")[2])
        return [ScrapeTargets(targets=listed, labels={"environment": name}) for name, listed in found.items()]

    def metrics(self) -> bytes:
        """The monitor's own figures, in Prometheus's text format."""
        return exposition(self._monitor, self._deliveries, self._plane)

    def dashboard(self, span: Span) -> DashboardAnswer:
        """Everything that the page shows of the newest ``span``."""
        monitor, steps, told = self._monitor, SPANS[span], self.alerts()
        windows = monitor.windows
        return DashboardAnswer(
            at=round(monitor.written_at, 3),
            age_seconds=round(monitor.age_seconds, 3),
            span=span,
            step_seconds=steps.seconds,
            count=steps.count,
            status=self._status(),
            problems=[ProblemBody(subject=one.subject, sentence=one.sentence) for one in monitor.problems],
            **{
                figure: _points(windows.rate_points([everything(figure)], steps))
                for figure in ("good", "bad", "excluded", "gateway_requests", "gateway_errors", "retries")
            },
            in_flight=_points(windows.level_points(everything("in_flight"), steps)),
            models=[_model(windows, name, steps) for name in windows.catalog.models],
            models_without_history=list(windows.catalog.left_out),
            environments=[_environment(windows, name, steps) for name in windows.catalog.environments],
            replicas=[_replica(target) for target in monitor.targets],
            firing=told.firing,
            past=told.past,
            alerts=told.alerts,
            budget=_budget(windows, self._objective),
            gpus=_gpus(monitor, steps),
            requests=_requests(self._recent),
            kept_bytes=monitor.rings.nbytes,
        )

    def _status(self) -> HealthStatus:
        monitor = self._monitor
        if not monitor.has_looked or monitor.age_seconds > UNKNOWN_AFTER_SECONDS:
            return "unknown"
        gravest = worst(monitor.alerts.firing)
        if gravest == "page":
            return "unhealthy"
        return "degraded" if gravest or monitor.problems else "healthy"


def _model(windows: Windows, name: str, steps: Steps) -> ModelBody:
    def rate(figure: str) -> Points:
        return _points(windows.rate_points([Key("model", name, figure)], steps))

    def level(figure: str) -> Points:
        return _points(windows.level_points(Key("model", name, figure), steps))

    latencies = {
        f"{figure.removesuffix('_seconds')}_{word}": _points(windows.quantile_points(share, name, figure, steps))
        for figure in HISTOGRAMS
        for word, share in _QUANTILES.items()
    }
    hits, misses = Key("model", name, "cache_hits"), Key("model", name, "cache_misses")
    return ModelBody(
        name=name,
        **{figure: rate(figure) for figure in ("good", "bad", "excluded", "prompt_tokens", "output_tokens")},
        **{figure: level(figure) for figure in ("running", "waiting", "kv_ratio", "memory_bytes")},
        **latencies,
        cache_hit_rate=_points(windows.share_points([hits], [misses], steps)),
        running_limit=windows.latest(Key("model", name, "running_limit")),
        queue_limit=windows.latest(Key("model", name, "queue_limit")),
        replicas_ready=windows.latest(Key("model", name, "ready")),
        replicas_failed=windows.latest(Key("model", name, "failed")),
        worker_restarts=windows.increase(Key("model", name, "worker_restarts"), steps.span_seconds),
    )


def _budget(windows: Windows, objective: float) -> BudgetBody:
    told = [_budget_window(windows, seconds, 1 - objective) for seconds in BUDGET_SECONDS]
    day = told[-1].burn_rate
    return BudgetBody(objective=objective, left=None if day is None else round(1 - day, _DIGITS), windows=told)


def _budget_window(windows: Windows, seconds: int, allowed: float) -> BudgetWindow:
    good, bad = everything("good"), everything("bad")
    ratio, count = windows.share(bad, [good], seconds)
    known = windows.known_seconds(good, seconds)
    return BudgetWindow(
        seconds=seconds,
        known_seconds=round(known, 1),
        requests=round(count, _DIGITS) if known else None,
        bad_ratio=None if ratio is None else round(ratio, 6),
        burn_rate=None if ratio is None else round(ratio / allowed, _DIGITS),
    )


def _environment(windows: Windows, name: str, steps: Steps) -> EnvironmentSeries:
    def key(figure: str) -> Key:
        return Key("environment", name, figure)

    return EnvironmentSeries(
        name=name,
        attempts=_points(windows.rate_points([key("attempts")], steps)),
        failed_attempts=_points(windows.rate_points([key("failed_attempts")], steps)),
        healthy=windows.latest(key("healthy")),
        servers=windows.latest(key("servers")),
    )


def _replica(target: Target) -> ReplicaBody:
    age = target.age_seconds()
    names = {"running": "running", "waiting": "waiting", "memory_bytes": "memory_bytes", "models_ready": "ready"}
    levels: dict[str, Any] = {}
    for member, figure in names.items():
        found = [value for key, value in target.levels.items() if key.scope == "model" and key.figure == figure]
        levels[member] = sum(found) if found else None
    return ReplicaBody(
        name=target.name,
        environment=target.environment,
        address=target.address,
        state=target.state,
        problem=target.problem,
        age_seconds=None if age is None else round(age, 3),
        **levels,
    )


def _gpus(monitor: Monitor, steps: Steps) -> GpusBody:
    windows = monitor.windows
    used, size = (windows.level_points(everything(figure), steps) for figure in ("gpu_used_bytes", "gpu_size_bytes"))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(size > 0, used / size, np.nan)
    now = [
        GpuBody(
            replica=target.name,
            gpu=gpu.number,
            used_bytes=gpu.used_bytes,
            size_bytes=gpu.size_bytes,
            utilization_ratio=gpu.utilization,
            watts=None if gpu.watts is None else round(gpu.watts, 1),
        )
        for target in monitor.targets
        for gpu in target.gpus.now
    ]
    return GpusBody(
        memory_ratio=_points(ratio),
        utilization_ratio=_points(windows.level_points(everything("gpu_utilization"), steps)),
        watts=_points(windows.rate_points([everything("gpu_joules")], steps)),
        now=now,
    )


def _requests(recent: RecentWatch) -> RequestsBody:
    def seen(found: list[tuple[str, RecentRequest]]) -> list[SeenRequest]:
        return [SeenRequest(replica=name, request=request) for name, request in found]

    ages = [(source, source.age_seconds()) for source in recent.sources]
    return RequestsBody(
        window_seconds=recent.window_seconds,
        slowest=seen(recent.slowest),
        newest=seen(recent.newest),
        sources=[
            RequestSource(
                replica=source.replica, problem=source.problem, age_seconds=None if age is None else round(age, 3)
            )
            for source, age in ages
        ],
    )


def _alert(alert: Alert) -> AlertBody:
    return AlertBody(
        rule=alert.rule,
        severity=alert.severity,
        subject=alert.subject,
        state=alert.state,
        since=alert.since,
        sentence=alert.sentence,
        value=alert.value,
        fingerprint=alert.fingerprint,
    )


def _episode(episode: Episode) -> EpisodeBody:
    return EpisodeBody(
        rule=episode.alert.rule,
        severity=episode.alert.severity,
        subject=episode.alert.subject,
        sentence=episode.alert.sentence,
        fingerprint=episode.alert.fingerprint,
        fired_at=episode.fired_at,
        ended_at=episode.ended_at,
        end=episode.end,
    )


def _points(values: npt.NDArray[np.float64]) -> Points:
    """Four significant digits, and null for what is not known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = _DIGITS - 1 - np.floor(np.log10(np.abs(values)))
        up, down = 10.0 ** np.maximum(power, 0), 10.0 ** np.maximum(-power, 0)  # whole powers, which divide cleanly
        rounded = np.where((values != 0) & np.isfinite(values), np.round(values * up / down) / up * down, values)
    return [None if value != value else value for value in rounded.tolist()]  # noqa: PLR0124 - only NaN differs
