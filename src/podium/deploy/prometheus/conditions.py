"""The monitor's rules in PromQL: thresholds, windows, durations and guards are those of the embedded ones."""

from __future__ import annotations

from podium.config.monitor import Monitor as Thresholds
from podium.deploy.prometheus.condition import Condition
from podium.deploy.prometheus.objectives import SLOW_BURN, burn_conditions
from podium.deploy.prometheus.promql import (
    MODELS,
    bad_requests,
    counted_requests,
    duration,
    number,
    quantile,
    selector,
    total,
)
from podium.monitor.meaning import CACHE_HITS
from podium.monitor.rules import (
    BURNS,
    CACHE_SECONDS,
    MOST_QUEUE_RATIO,
    MOST_RESTARTS,
    RECENT_SECONDS,
    RESTART_SECONDS,
    Rule,
    rules_of,
)
from podium.telemetry import table

_RECENT = duration(RECENT_SECONDS)
_BY_MODEL = ("model",)
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
        *burn_conditions(given),
        *_of_prometheus_alone(job),
    )
    never = _never(given)
    return tuple(condition for condition in found if condition.name not in never)


def _never(given: Thresholds) -> set[str]:
    """Alerts that are turned off by a threshold that nothing can pass."""
    off = {
        "HighErrorRate": given.max_error_rate >= 1,
        "HighLatencyP95": given.max_p95_seconds >= table.REQUEST_DURATION.buckets[-1],
        "GpuMemoryHigh": given.max_gpu_memory_ratio >= 1,
        "KvCacheFull": given.max_kv_cache_ratio >= 1,
        "CacheHitRateLow": given.min_cache_hit_rate <= 0,
        **{burn.name: burn.factor * (1 - given.objective) >= 1 for burn in (*BURNS, SLOW_BURN)},
    }
    return {name for name, is_off in off.items() if is_off}


def _twin(rule: Rule, value: str, broken: str, summary: str, *, guard: str = "") -> Condition:
    return Condition(rule.name, rule.severity, value, broken, summary, guard, rule.for_seconds, rule.keep_seconds)


def _of_requests(given: Thresholds, rules: dict[str, Rule]) -> tuple[Condition, ...]:
    counted = counted_requests("increase", _RECENT, _BY_MODEL, MODELS)
    errors = f"{bad_requests('increase', _RECENT, _BY_MODEL, MODELS)}\n/\n{counted}"
    ended = total("increase", selector(f"{table.REQUEST_DURATION.name}_count", MODELS), _RECENT, _BY_MODEL)
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
            rules["HighLatencyP95"], quantile(0.95, table.REQUEST_DURATION, _RECENT, MODELS),
            f"> {number(given.max_p95_seconds)}",
            f"The 95th percentile of {{{{ $labels.model }}}} is {_SECONDS}.",
            guard=f"{ended} >= {given.min_requests}",
        ),
        _twin(
            rules["CacheHitRateLow"], f"{kept}\n/\n{cacheable}", f"< {number(given.min_cache_hit_rate)}",
            f"Only {_PERCENT} of the cacheable requests to {{{{ $labels.model }}}} have a kept answer.",
            guard=f"{cacheable} >= {given.min_cacheable_requests}",
        ),
    )  # fmt: skip


def _of_engines(given: Thresholds, rules: dict[str, Rule]) -> tuple[Condition, ...]:
    progress = table.LAST_PROGRESS.name
    restarts = total("increase", table.WORKER_RESTARTS.name, duration(RESTART_SECONDS), _BY_MODEL)
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
            rules["WorkerRestarting"], restarts, f"> {MOST_RESTARTS}",
            f"The worker of {{{{ $labels.model }}}} was replaced {_COUNT} times in 15 minutes.",
        ),
    )  # fmt: skip


def _of_machines(given: Thresholds, rules: dict[str, Rule], job: str) -> tuple[Condition, ...]:
    used, size = table.GPU_MEMORY_USED.name, table.GPU_MEMORY_SIZE.name
    verdict = selector(table.ALERT_FIRING, 'rule="RetryOverflow"')
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
            rules["RetryOverflow"],  # only the controller can ask Envoy, so its verdict is taken over
            f"max by (subject) ({verdict})", "== 1",
            "The gateway did not retry failed requests, because too many retries ran.",
        ),
    )  # fmt: skip


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
    failed = selector(table.MODEL_STATE, 'state="failed"')
    lost = total("increase", selector(table.WEBHOOK_DELIVERIES, 'result!="delivered"'), "15m", ("receiver",))
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
            "ModelLoadFailed", "page", f"max by (model) ({failed})", "== 1",
            "{{ $labels.model }} could not be loaded.", for_seconds=60,
        ),
        Condition(
            "StoreAway", "page", f"max by (purpose) ({table.STORE_OPEN.name})", "== 1",
            "The shared store is not asked for {{ $labels.purpose }}, because it fails.", for_seconds=60,
        ),
        Condition(
            "WebhookFailing", "ticket", lost, "> 0", "Alerts for {{ $labels.receiver }} were lost.",
        ),
        Condition(
            "NoServers", "page", f'count(up{{job="{job}"}})', "", "Prometheus knows no server of Podium.",
            for_seconds=60, absent=True,
        ),
        Condition("Watchdog", "ticket", "vector(1)", "", "Always on: whoever does not see it has no alerts."),
    )  # fmt: skip
