"""Unit tests of the alerts for ``promtool test rules``: each one fires, is quiet, ends, and says nothing without data.

A test is a few series over time, written by hand in numbers that the thresholds of the settings are put into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from podium.config.monitor import Monitor as Thresholds
from podium.deploy.kubernetes.autoscaling import GAUGES
from podium.deploy.prometheus.condition import Condition
from podium.deploy.prometheus.objectives import SLOW_BURN
from podium.deploy.prometheus.promql import duration
from podium.monitor.rules import BURNS, MOST_QUEUE_RATIO, MOST_RESTARTS
from podium.telemetry import table
from podium.telemetry.metric import Metric

STEP_SECONDS = 60
_REFUSED = 19
"""Requests that are refused for each that is answered."""
_MODEL = 'model="m",version="1"'
_ROUTE = 'route="/v1/chat/completions"'

Series = dict[str, float]
"""By selector: what a counter gains in a step, what a gauge is, or whether a time of day moves (1) or stands (0)."""
Kind = Literal["counter", "gauge", "clock"]


@dataclass(frozen=True)
class Scene:
    """What an alert is shown. ``low``: broken, but with too little traffic; None where there is no such guard.

    ``lasts_seconds``: how long it has to be broken before it counts, beside the alert's own waiting time.
    """

    broken: Series
    fine: Series
    low: Series | None = None
    kind: Kind = "counter"
    ends: bool = True
    lasts_seconds: float = 0.0


def test_file(conditions: Sequence[Condition], given: Thresholds, rule_files: Sequence[str]) -> dict[str, Any]:
    """A test file for ``promtool``; names of rule files are relative to it."""
    scenes = scenes_of(given)
    tests = [test for condition in conditions for test in _tests(condition, scenes[condition.name])]
    return {"rule_files": list(rule_files), "evaluation_interval": duration(STEP_SECONDS), "tests": tests}


def scenes_of(given: Thresholds) -> dict[str, Scene]:
    """A scene for every alert."""
    burning = {name: _burning(given, factor) for name, factor in _burns()}
    return {**_request_scenes(given), **_level_scenes(given), **_other_scenes(given), **burning}


def _tests(condition: Condition, scene: Scene) -> list[dict[str, Any]]:
    if condition.name == "Watchdog":
        return [_test(condition, "fires always", {}, [(0, True), (40, True)])]
    if condition.absent:
        return [
            _test(condition, "is quiet while it is measured", _series(scene, [(scene.fine, 100)]), [(90, False)]),
            _test(condition, "fires when nothing is", {}, [(90, True)]),
        ]
    wait = _steps(condition.for_seconds + scene.lasts_seconds) + 4
    begun = wait + (15 if condition.for_seconds >= 300 else 3)
    tests = [
        _test(condition, "fires", _series(scene, [(scene.broken, begun)]), [(begun - 1, True)]),
        _test(condition, "is quiet", _series(scene, [(scene.fine, begun)]), [(begun - 1, False), (begun // 2, False)]),
        _test(condition, "says nothing without data", {}, [(begun, False)]),
    ]
    if (half := _steps(condition.for_seconds) // 2) > 0:
        tests.append(_test(condition, "waits first", _series(scene, [(scene.broken, begun)]), [(half, False)]))
    if scene.low is not None:
        low = _series(scene, [(scene.low, begun + 10)])
        tests.append(_test(condition, "says nothing with little traffic", low, [(begun + 9, False)]))
    if scene.ends:
        after = begun + _steps(condition.keep_seconds) + _steps(1200)
        both = _series(scene, [(scene.broken, begun), (scene.fine, after - begun)])
        tests.append(_test(condition, "ends", both, [(begun - 1, True), (after - 1, False)]))
    return tests


def _test(condition: Condition, what: str, series: dict[str, str], moments: list[tuple[int, bool]]) -> dict[str, Any]:
    firing = f'count by (alertname) (ALERTS{{alertname="{condition.name}",alertstate="firing"}})'
    one = [{"labels": f'{{alertname="{condition.name}"}}', "value": 1}]
    return {
        "name": f"{condition.name} {what}",
        "interval": duration(STEP_SECONDS),
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{step * STEP_SECONDS}s", "exp_samples": one if fires else []}
            for step, fires in moments
        ],
    }


def _series(scene: Scene, phases: Sequence[tuple[Series, int]]) -> dict[str, str]:
    """Values over time in promtool's notation, of phases of so many steps."""
    names = list(dict.fromkeys(name for values, _ in phases for name in values))
    return {name: _WRITERS[scene.kind]([(values.get(name, 0.0), steps) for values, steps in phases]) for name in names}


def _counter(phases: list[tuple[float, int]]) -> str:
    parts, value = [], 0.0
    for gain, steps in phases:
        parts.append(f"{value:g}+{gain:g}x{steps - 1}")
        value += gain * steps
    return " ".join(parts)


def _gauge(phases: list[tuple[float, int]]) -> str:
    return " ".join(f"{value:g}+0x{steps - 1}" for value, steps in phases)


def _clock(phases: list[tuple[float, int]]) -> str:
    parts, now = [], 0
    for moves, steps in phases:
        parts.append(f"{now}+{STEP_SECONDS if moves else 0}x{steps - 1}")
        now += steps * STEP_SECONDS
    return " ".join(parts)


_WRITERS: dict[Kind, Callable[[list[tuple[float, int]]], str]] = {
    "counter": _counter,
    "gauge": _gauge,
    "clock": _clock,
}


def _steps(seconds: float) -> int:
    return int(seconds // STEP_SECONDS)


def _request_scenes(given: Thresholds) -> dict[str, Scene]:
    many, little = float(given.min_requests * 10), given.min_requests / 100
    cacheable, few = float(given.min_cacheable_requests * 10), given.min_cacheable_requests / 200
    kept = given.min_cache_hit_rate
    return {
        "HighErrorRate": Scene(
            _ended(many, min(1.0, given.max_error_rate * 2)),
            _ended(many, given.max_error_rate / 2),
            _ended(little, 1.0),
        ),
        "StreamErrors": Scene(
            _ended(many, min(1.0, given.max_stream_error_rate * 2), "stream_error"),
            _ended(many, given.max_stream_error_rate / 2, "stream_error"),
            _ended(little, 1.0, "stream_error"),
        ),
        "HighLatencyP95": _slow(table.REQUEST_DURATION, given.max_p95_seconds, many, little),
        "HighTtftP95": _slow(table.TIME_TO_FIRST_TOKEN, given.max_ttft_p95_seconds, many, little),
        "HighTpotP95": _slow(table.TIME_PER_OUTPUT_TOKEN, given.max_tpot_p95_seconds, many, little),
        "CacheHitRateLow": Scene(
            _cached(cacheable, kept / 2), _cached(cacheable, (1 + kept) / 2), _cached(few, kept / 2)
        ),
    }


def _level_scenes(given: Thresholds) -> dict[str, Scene]:
    def levels(broken: Series, fine: Series) -> Scene:
        return Scene(broken, fine, kind="gauge")

    queue, limit = f"{table.MODEL_WAITING.name}{{{_MODEL}}}", f"{table.QUEUE_LIMIT.name}{{{_MODEL}}}"
    used = f'{table.GPU_MEMORY_USED.name}{{instance="a",gpu="0"}}'
    size = f'{table.GPU_MEMORY_SIZE.name}{{instance="a",gpu="0"}}'
    kv, state = f"{table.KV_CACHE_USAGE.name}{{{_MODEL}}}", f'{table.MODEL_STATE.name}{{{_MODEL},state="failed"}}'
    store, up = f'{table.STORE_OPEN.name}{{purpose="cache"}}', 'up{job="podium",instance="a"}'
    pod = 'up{job="podium",namespace="n",environment="blue"}'
    scaled = dict.fromkeys((f'{gauge}{{namespace="n",environment="blue"}}' for gauge in GAUGES), 0.0)
    left_out = table.MODELS_LEFT_OUT.name
    return {
        "EngineStalled": Scene({_progress(): 0.0}, {_progress(): 1.0}, kind="clock"),
        "KvCacheFull": levels({kv: (1 + given.max_kv_cache_ratio) / 2}, {kv: given.max_kv_cache_ratio / 2}),
        "QueueSaturated": levels({queue: 100, limit: 100}, {queue: MOST_QUEUE_RATIO * 50, limit: 100}),
        "GpuMemoryHigh": levels(
            {used: 1000 * (1 + given.max_gpu_memory_ratio) / 2, size: 1000},
            {used: 1000 * given.max_gpu_memory_ratio / 2, size: 1000},
        ),
        "ReplicaDown": levels({up: 0}, {up: 1}),
        "NoServers": levels({up: 0}, {up: 1}),
        "ModelLoadFailed": levels({state: 1}, {state: 0}),
        "StoreAway": levels({store: 1}, {store: 0}),
        "RetryOverflow": levels({_verdict("RetryOverflow"): 1}, {_verdict("RetryOverflow"): 0}),
        "NoHealthyServer": levels({_verdict("NoHealthyServer"): 1}, {_verdict("NoHealthyServer"): 0}),
        "ModelsWithoutHistory": levels({left_out: 2}, {left_out: 0}),
        "ScalerQueryEmpty": Scene({pod: 1}, {pod: 1, **scaled}, kind="gauge", ends=False),
        "AccountingBroken": levels(_accounts(7, 4, 2), _accounts(7, 5, 2)),
        "TokenAccountingBroken": levels(_tokens(7, 4, 1), _tokens(7, 5, 1)),
    }


def _other_scenes(given: Thresholds) -> dict[str, Scene]:
    restarts = f"{table.WORKER_RESTARTS.name}{{{_MODEL}}}"
    lost = f'{table.WEBHOOK_DELIVERIES.name}{{receiver="1 hooks.example",result="given_up"}}'
    refused, waiting = table.GATEWAY_REJECTIONS.name, table.ROLLOUT_WAITING_SINCE.name
    xids = f'{table.GPU_XID_ERRORS.name}{{instance="a",gpu="0"}}'
    dropped = f'{table.LOG_RECORDS_DROPPED.name}{{instance="a"}}'
    folded = f'{table.SERIES_DROPPED.name}{{instance="a"}}'
    return {
        "GatewayConfigRejected": Scene({refused: 1.0}, {refused: 0.0}),
        "RolloutStuck": Scene(
            {waiting: 0.0}, {waiting: 1.0}, kind="clock", lasts_seconds=given.rollout_waiting_seconds
        ),
        "GpuXid": Scene({xids: 1.0}, {xids: 0.0}),
        "LogDrops": Scene({dropped: 1.0}, {dropped: 0.0}),
        "SeriesDropped": Scene({folded: 1.0}, {folded: 0.0}),
        "WorkerRestarting": Scene({restarts: float(MOST_RESTARTS)}, {restarts: 0.0}),
        "WebhookFailing": Scene({lost: 1.0}, {lost: 0.0}),
        "ObjectiveNotMeasured": Scene(_ended(10, 0.0), _ended(10, 0.0)),
        "Watchdog": Scene({}, {}),
    }


def _burns() -> list[tuple[str, float]]:
    return [(burn.name, burn.factor) for burn in (*BURNS, SLOW_BURN)]


def _burning(given: Thresholds, factor: float) -> Scene:
    """Budget that burns twice as fast as is told; it does not end here, since the long window remembers."""
    many, budget = float(given.min_requests * 10), 1 - given.objective
    broken = _ended(many, min(1.0, factor * 2 * budget))
    return Scene(broken, _ended(many, budget / 2), _ended(given.min_requests / 1000, 1.0), ends=False)


def _ended(requests: float, bad: float, outcome: str = "server_error") -> Series:
    name = table.REQUESTS.name
    return {
        f'{name}{{{_MODEL},{_ROUTE},outcome="ok"}}': requests * (1 - bad),
        f'{name}{{{_MODEL},{_ROUTE},outcome="{outcome}"}}': requests * bad,
        f'{name}{{{_MODEL},{_ROUTE},outcome="client_error"}}': requests,  # never counts
    }


def _slow(metric: Metric, limit: float, many: float, little: float) -> Scene:
    """Values above the limit, below it, and above it of hardly any requests."""
    above = metric.buckets[-1] * 2 if limit * 4 > metric.buckets[-1] else limit * 4
    broken, fine = _lasting(metric, many, above), _lasting(metric, many, limit / 4)
    if "outcome_class" in metric.labels:  # quick refusals make slow answers no better, and slow failures are no answers
        broken |= _lasting(metric, many * _REFUSED, 0.0, "bad")
        fine |= _lasting(metric, many * _REFUSED, above, "bad")
    return Scene(broken, fine, _lasting(metric, little, above))


def _lasting(metric: Metric, requests: float, seconds: float, outcome_class: str = "ok") -> Series:
    at = ",".join(
        text
        for label, text in (("model", _MODEL), ("route", _ROUTE), ("outcome_class", f'outcome_class="{outcome_class}"'))
        if label in metric.labels
    )
    buckets = {
        f'{metric.bucket}{{{at},le="{bound}"}}': requests if seconds <= float(bound) else 0.0
        for bound in (*(f"{float(edge)}" for edge in metric.buckets), "+Inf")
    }
    return {**buckets, f"{metric.name}_count{{{at}}}": requests}


def _cached(requests: float, kept: float) -> Series:
    name = table.CACHE_REQUESTS.name
    return {
        f'{name}{{model="m",status="hit"}}': requests * kept,
        f'{name}{{model="m",status="miss"}}': requests * (1 - kept),
        f'{name}{{model="m",status="bypass"}}': requests,  # never counts
    }


def _accounts(received: int, ended: int, running: int) -> Series:
    return {
        f'{table.REQUESTS_RECEIVED.name}{{instance="a",{_ROUTE}}}': received,
        f'{table.REQUESTS.name}{{instance="a",{_MODEL},{_ROUTE},outcome="ok"}}': ended,
        f'{table.REQUESTS_IN_FLIGHT.name}{{instance="a",{_ROUTE}}}': running,
    }


def _tokens(sampled: int, delivered: int, discarded: int) -> Series:
    at = f'{{instance="a",{_MODEL}}}'
    return {
        table.TOKENS_SAMPLED.name + at: sampled,
        table.TOKENS_DELIVERED.name + at: delivered,
        table.TOKENS_DISCARDED.name + at: discarded,
        table.TOKENS_UNREAD.name + at: sampled - 6,
    }


def _verdict(rule: str) -> str:
    return f'{table.ALERT_FIRING.name}{{rule="{rule}",subject="gateway",severity="page"}}'


def _progress() -> str:
    return f"{table.LAST_PROGRESS.name}{{{_MODEL}}}"
