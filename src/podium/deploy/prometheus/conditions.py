"""The monitor's rules in PromQL: thresholds, windows, durations and guards are those of the embedded ones."""

from __future__ import annotations

from podium.config.monitor import Monitor as Thresholds
from podium.deploy.kubernetes.autoscaling import GAUGES
from podium.deploy.prometheus.condition import Condition
from podium.deploy.prometheus.objectives import SLOW_BURN, burn_conditions
from podium.deploy.prometheus.promql import (
    MODELS,
    bad_requests,
    counted_requests,
    duration,
    ended_well,
    number,
    quantile,
    selector,
    total,
)
from podium.monitor.meaning import CACHE_HITS
from podium.monitor.rules import (
    BURNS,
    CACHE_SECONDS,
    EACH_TOKEN,
    END_TO_END,
    FIRST_TOKEN,
    FOLDED,
    LOG_DROPS,
    LOST_MESSAGES,
    MOST_QUEUE_RATIO,
    MOST_RESTARTS,
    NACKS,
    RECENT_SECONDS,
    RESTART_SECONDS,
    XIDS,
    Rule,
    Slow,
    rules_of,
)
from podium.telemetry import table
from podium.telemetry.metric import Metric

_RECENT = duration(RECENT_SECONDS)
_BY_MODEL = ("model",)
_PLACE = "namespace, environment"
_PERCENT = "{{ $value | humanizePercentage }}"
_SECONDS = "{{ $value | humanizeDuration }}"
_COUNT = '{{ $value | printf "%.0f" }}'


def conditions_of(given: Thresholds, job: str = "podium") -> tuple[Condition, ...]:
    """Every alert: the embedded rules' twins first, then those that only a Prometheus can judge.

    ``job`` is the label of the scrapes. An alert whose threshold nothing can pass is left out.
    """
    rules = {rule.name: rule for rule in rules_of(given)}
    found = (
        *_of_requests(given, rules),
        *_of_engines(given, rules),
        *_of_machines(given, rules, job),
        *_of_the_controller(given, rules),
        *burn_conditions(given),
        *_of_prometheus_alone(job),
    )
    never = _never(given)
    return tuple(condition for condition in found if condition.name not in never)


def _never(given: Thresholds) -> set[str]:
    """Alerts that are turned off by a threshold that nothing can pass."""
    off = {
        "HighErrorRate": given.max_error_rate >= 1,
        "StreamErrors": given.max_stream_error_rate >= 1,
        **{name: _is_unlimited(given, *slow) for name, slow in _SLOW.items()},
        "GpuMemoryHigh": given.max_gpu_memory_ratio >= 1,
        "KvCacheFull": given.max_kv_cache_ratio >= 1,
        "CacheHitRateLow": given.min_cache_hit_rate <= 0,
        **{burn.name: burn.factor * (1 - given.objective) >= 1 for burn in (*BURNS, SLOW_BURN)},
    }
    return {name for name, is_off in off.items() if is_off}


_SLOW: dict[str, tuple[Slow, Metric]] = {
    "HighLatencyP95": (END_TO_END, table.REQUEST_DURATION),
    "HighTtftP95": (FIRST_TOKEN, table.TIME_TO_FIRST_TOKEN),
    "HighTpotP95": (EACH_TOKEN, table.TIME_PER_OUTPUT_TOKEN),
}


def _is_unlimited(given: Thresholds, slow: Slow, metric: Metric) -> bool:
    return float(getattr(given, slow.setting)) >= metric.buckets[-1]


def _twin(rule: Rule, value: str, broken: str, summary: str, *, guard: str = "") -> Condition:
    return Condition(rule.name, rule.severity, value, broken, summary, guard, rule.for_seconds, rule.keep_seconds)


def _of_requests(given: Thresholds, rules: dict[str, Rule]) -> tuple[Condition, ...]:
    counted = counted_requests("increase", _RECENT, _BY_MODEL, MODELS)
    errors = f"{bad_requests('increase', _RECENT, _BY_MODEL, MODELS)}\n/\n{counted}"
    cut = total("increase", selector(table.REQUESTS, 'outcome="stream_error"', MODELS), _RECENT, _BY_MODEL)
    window, hits = duration(CACHE_SECONDS), "|".join(sorted(CACHE_HITS))
    kept = total("increase", selector(table.CACHE_REQUESTS, f'status=~"{hits}"'), window, _BY_MODEL)
    cacheable = total("increase", selector(table.CACHE_REQUESTS, f'status=~"{hits}|miss"'), window, _BY_MODEL)
    return (
        _twin(
            rules["HighErrorRate"], errors, f"> {number(given.max_error_rate)}",
            f"{_PERCENT} of the requests to {{{{ $labels.model }}}} fail.",
            guard=f"{counted} >= {given.min_requests}",
        ),
        _twin(
            rules["StreamErrors"], f"{cut}\n/\n{counted}", f"> {number(given.max_stream_error_rate)}",
            f"The streams of {_PERCENT} of the requests to {{{{ $labels.model }}}} break.",
            guard=f"{counted} >= {given.min_requests}",
        ),
        *(_slow_twin(given, rules[name], *slow) for name, slow in _SLOW.items()),
        _twin(
            rules["CacheHitRateLow"], f"{kept}\n/\n{cacheable}", f"< {number(given.min_cache_hit_rate)}",
            f"Only {_PERCENT} of the cacheable requests to {{{{ $labels.model }}}} have a kept answer.",
            guard=f"{cacheable} >= {given.min_cacheable_requests}",
        ),
    )  # fmt: skip


def _slow_twin(given: Thresholds, rule: Rule, slow: Slow, metric: Metric) -> Condition:
    ended = total("increase", selector(f"{metric.name}_count", ended_well(metric), MODELS), _RECENT, _BY_MODEL)
    return _twin(
        rule,
        quantile(0.95, metric, _RECENT, MODELS),
        f"> {number(float(getattr(given, slow.setting)))}",
        f"The 95th percentile {slow.words} of {{{{ $labels.model }}}} is {_SECONDS}.",
        guard=f"{ended} >= {given.min_requests}",
    )


def _of_engines(given: Thresholds, rules: dict[str, Rule]) -> tuple[Condition, ...]:
    progress = table.LAST_PROGRESS.name
    restarts = total("increase", table.WORKER_RESTARTS.name, duration(RESTART_SECONDS), _BY_MODEL)
    failed = selector(table.MODEL_STATE, 'state="failed"')
    queue = f"sum by (model) ({table.MODEL_WAITING.name})\n/\nsum by (model) ({table.QUEUE_LIMIT.name})"
    return (
        _twin(
            rules["EngineStalled"],
            f"max by (model) (timestamp({progress}) - {progress})",  # the age at the scrape, not since the scrape
            f"> {number(given.stalled_seconds)}",
            f"The engine of {{{{ $labels.model }}}} has work and has made no step for {_SECONDS}.",
        ),
        _twin(
            rules["KvCacheFull"], f"max by (model) (min_over_time({table.KV_CACHE_USAGE.name}[{_RECENT}]))",
            f"> {number(given.max_kv_cache_ratio)}",
            f"The KV cache of {{{{ $labels.model }}}} is {_PERCENT} full.",
        ),
        _twin(
            rules["QueueSaturated"], queue, f"> {number(MOST_QUEUE_RATIO)}",
            f"The queue of {{{{ $labels.model }}}} is {_PERCENT} full.",
        ),
        _twin(
            rules["ModelLoadFailed"], f"max by (model) ({failed})", "== 1",
            "{{ $labels.model }} could not be loaded.",
        ),
        _twin(
            rules["WorkerRestarting"], restarts, f"> {MOST_RESTARTS}",
            f"The worker of {{{{ $labels.model }}}} was replaced {_COUNT} times in 15 minutes.",
        ),
    )  # fmt: skip


def _of_machines(given: Thresholds, rules: dict[str, Rule], job: str) -> tuple[Condition, ...]:
    used, size = table.GPU_MEMORY_USED.name, table.GPU_MEMORY_SIZE.name
    xids = total("increase", table.GPU_XID_ERRORS.name, duration(XIDS.seconds), ("instance", "gpu"))
    dropped = total("increase", table.LOG_RECORDS_DROPPED.name, duration(LOG_DROPS.seconds), ("instance",))
    folded = total("increase", table.SERIES_DROPPED.name, duration(FOLDED.seconds), ("instance",))
    return (
        _twin(
            rules["GpuMemoryHigh"],
            f"min_over_time({used}[{_RECENT}])\n/ on (instance, gpu)\n{size}",
            f"> {number(given.max_gpu_memory_ratio)}",
            f"The memory of GPU {{{{ $labels.gpu }}}} of {{{{ $labels.instance }}}} is {_PERCENT} full.",
        ),
        _twin(
            rules["ReplicaDown"], selector("up", f'job="{job}"'), "== 0",
            "{{ $labels.instance }} does not answer Prometheus.",
        ),
        _twin(
            rules["GpuXid"], xids, "> 0",
            f"The driver told of {_COUNT} critical errors of GPU {{{{ $labels.gpu }}}} of {{{{ $labels.instance }}}}.",
        ),
        _twin(
            rules["LogDrops"], dropped, "> 0",
            f"{{{{ $labels.instance }}}} dropped {_COUNT} log records, because nobody reads them.",
        ),
        _twin(
            rules["StoreAway"], f"max by (purpose) ({table.STORE_OPEN.name})", "== 1",
            "The shared store is not asked for {{ $labels.purpose }}, because it fails.",
        ),
        _twin(
            rules["SeriesDropped"], folded, "> 0",
            "{{ $labels.instance }} knows more than 64 versions, and counts the later ones as `other`.",
        ),
    )  # fmt: skip


def _of_the_controller(given: Thresholds, rules: dict[str, Rule]) -> tuple[Condition, ...]:
    waiting = table.ROLLOUT_WAITING_SINCE.name
    refused = f"sum (increase({table.GATEWAY_REJECTIONS.name}[{duration(NACKS.seconds)}]))"
    not_taken, window = selector(table.WEBHOOK_DELIVERIES, 'result!="delivered"'), duration(LOST_MESSAGES.seconds)
    lost = total("increase", not_taken, window, ("receiver",))
    return (
        _verdict(rules["RetryOverflow"], "The gateway did not retry failed requests, because too many retries ran."),
        _verdict(rules["NoHealthyServer"], "The gateway answers requests itself, because no server is healthy."),
        _twin(rules["GatewayConfigRejected"], refused, "> 0", f"Gateways refused {_COUNT} configurations."),
        _twin(
            rules["RolloutStuck"], f"max (timestamp({waiting}) - {waiting})",
            f"> {number(given.rollout_waiting_seconds)}", f"The rollout has waited for {_SECONDS}.",
        ),
        _twin(rules["WebhookFailing"], lost, "> 0", "Alerts for {{ $labels.receiver }} were not taken."),
        _twin(
            rules["ModelsWithoutHistory"], f"max ({table.MODELS_LEFT_OUT.name})", "> 0",
            f"{_COUNT} models find no room in the monitor's memory: their alerts are not judged there.",
        ),
    )  # fmt: skip


def _verdict(rule: Rule, summary: str) -> Condition:
    """Only the controller can ask Envoy, so its verdict is taken over."""
    firing = selector(table.ALERT_FIRING, f'rule="{rule.name}"')
    return _twin(rule, f"max by (subject) ({firing})", "== 1", summary)


def _of_prometheus_alone(job: str) -> tuple[Condition, ...]:
    by_instance = "sum by (instance)"
    law = (
        f"abs({by_instance} ({table.REQUESTS_RECEIVED.name})\n"
        f"- {by_instance} ({table.REQUESTS.name})\n- {by_instance} ({table.REQUESTS_IN_FLIGHT.name}))"
    )
    tokens = (
        f"abs({by_instance} ({table.TOKENS_SAMPLED.name})\n- {by_instance} ({table.TOKENS_DELIVERED.name})\n"
        f"- {by_instance} ({table.TOKENS_DISCARDED.name})\n- {by_instance} ({table.TOKENS_UNREAD.name}))"
    )
    placed = 'namespace!="",environment!=""'  # as a PodMonitor labels them; elsewhere nothing scales
    pods = selector("up", f'job="{job}"', placed)
    scaled = " + ".join(f"sum by ({_PLACE}) ({selector(gauge, placed)})" for gauge in GAUGES)
    return (
        Condition(
            "AccountingBroken", "ticket", law, "> 0",
            "{{ $labels.instance }}: received, ended and running requests differ by " + _COUNT + ".", for_seconds=600,
        ),
        Condition(
            "TokenAccountingBroken", "ticket", tokens, "> 0",
            "{{ $labels.instance }}: the whereabouts of " + _COUNT + " tokens are not known.", for_seconds=600,
        ),
        Condition(
            "ScalerQueryEmpty", "ticket", f"count by ({_PLACE}) ({pods} == 1)",
            f"unless on ({_PLACE}) ({scaled})",
            "Pods of {{ $labels.environment }} answer, and the query of its autoscaler returns nothing.",
            for_seconds=300,
        ),
        Condition(
            "NoServers", "page", f'count(up{{job="{job}"}})', "", "Prometheus knows no server of Podium.",
            for_seconds=60, absent=True,
        ),
        Condition("Watchdog", "ticket", "vector(1)", "", "Always on: whoever does not see it has no alerts."),
    )  # fmt: skip
