"""What a series of a replica or of Envoy means to the monitor: which figures it counts in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from podium.core.outcome import class_of
from podium.gateway.listener import STAT_PREFIX
from podium.monitor.catalog import EVERYTHING, Key, Scope
from podium.telemetry import table

PROBE_ROUTES = frozenset({"/startupz", "/livez", "/readyz", "/metrics"})
"""Not counted as requests: nobody waits for their answers but ourselves."""

CACHE_HITS = frozenset({"hit", "semantic", "attach"})
_FIGURES = {"ok": "good", "bad": "bad", "excluded": "excluded"}

_MODEL_FIGURES = {
    table.PROMPT_TOKENS.name: "prompt_tokens",
    table.OUTPUT_TOKENS.name: "output_tokens",
    table.WORKER_RESTARTS.name: "worker_restarts",
    table.MODEL_RUNNING.name: "running",
    table.MODEL_WAITING.name: "waiting",
    table.RUNNING_LIMIT.name: "running_limit",
    table.QUEUE_LIMIT.name: "queue_limit",
    table.KV_CACHE_USAGE.name: "kv_ratio",
    table.MODEL_MEMORY.name: "memory_bytes",
    table.LAST_PROGRESS.name: "stalled_seconds",
}
_HISTOGRAMS = {
    table.REQUEST_DURATION.bucket: "e2e_seconds",
    table.TIME_TO_FIRST_TOKEN.bucket: "ttft_seconds",
    table.TIME_PER_OUTPUT_TOKEN.bucket: "inter_token_seconds",
}
_EVERYTHING_FIGURES = {
    table.REQUESTS_IN_FLIGHT.name: "in_flight",
    table.GPU_MEMORY_USED.name: "gpu_used_bytes",
    table.GPU_MEMORY_SIZE.name: "gpu_size_bytes",
    table.GPU_UTILIZATION.name: "gpu_utilization",
    table.GPU_ENERGY.name: "gpu_joules",
    table.GPU_XID_ERRORS.name: "gpu_xid_errors",
    table.STORE_OPEN.name: "store_open",
    table.LOG_RECORDS_DROPPED.name: "log_records_dropped",
    table.SERIES_DROPPED.name: "series_dropped",
}
_CONTROLLER_FIGURES = {
    table.GATEWAY_REJECTIONS.name: "rejections",
    table.ROLLOUT_WAITING_SINCE.name: "rollout_waiting_seconds",
    table.MODELS_LEFT_OUT.name: "models_left_out",
}
_GPU_FIGURES = {
    table.GPU_MEMORY_USED.name: "used_bytes",
    table.GPU_MEMORY_SIZE.name: "size_bytes",
    table.GPU_UTILIZATION.name: "utilization",
    table.GPU_ENERGY.name: "joules",
}
MOST_GPUS = 64
"""Of one replica; a page that names more is not believed."""
_CLUSTER_FIGURES = {
    "envoy_cluster_upstream_rq_total": "attempts",
    "envoy_cluster_upstream_rq_active": "active",
    "envoy_cluster_membership_healthy": "healthy",
    "envoy_cluster_membership_total": "servers",
}
_RETRY_FIGURES = {
    "envoy_cluster_upstream_rq_retry": "retries",
    "envoy_cluster_upstream_rq_retry_overflow": "retry_overflow",
    "envoy_cluster_upstream_cx_none_healthy": "unanswered",
}
ENVOY_FILTER = (
    r"^cluster\..*\.(upstream_rq_(total|5xx|active|retry|retry_overflow)|upstream_cx_none_healthy"
    r"|membership_(healthy|total))$"
    r"|^http\..*\.downstream_rq_(total|5xx)$"
)
"""The only statistics that Envoy is asked for."""


def of_replica(environment: str, name: str, labels: Mapping[str, str]) -> tuple[Key, ...]:
    """Figures that a series of a replica in ``environment`` counts in."""
    model = labels.get("model", "")
    if name == table.REQUESTS.name:
        return tuple(_requests(environment, labels))
    if name == table.CACHE_REQUESTS.name:
        return tuple(_cache(labels))
    if name in _HISTOGRAMS:
        key = Key("model", model, _HISTOGRAMS[name], float(labels.get("le", "nan")))
        return (key,) if labels.get("outcome_class", "ok") == "ok" else ()  # a quick refusal makes no answer quicker
    if name in _MODEL_FIGURES:
        return (Key("model", model, _MODEL_FIGURES[name]),)
    if name == table.MODEL_STATE.name:
        return (Key("model", model, labels["state"]),) if labels.get("state") in {"ready", "failed"} else ()
    return _gpu(name, labels.get("gpu", "")) if name in _GPU_FIGURES else _of_all(name, labels)


def _of_all(name: str, labels: Mapping[str, str]) -> tuple[Key, ...]:
    counts = name in _EVERYTHING_FIGURES and labels.get("route") not in PROBE_ROUTES
    return (_everything(_EVERYTHING_FIGURES[name]),) if counts else ()


def of_controller(name: str, labels: Mapping[str, str]) -> tuple[Key, ...]:
    """Figures that a series of the controller itself counts in."""
    if name == table.WEBHOOK_DELIVERIES.name:
        return (_everything("messages_lost"),) if labels.get("result") != "delivered" else ()
    return (_everything(_CONTROLLER_FIGURES[name]),) if name in _CONTROLLER_FIGURES else ()


def of_envoy(name: str, labels: Mapping[str, str]) -> tuple[Key, ...]:
    """Figures that a series of Envoy counts in."""
    cluster, is_failure = labels.get("envoy_cluster_name", ""), labels.get("envoy_response_code_class") == "5"
    if name in _CLUSTER_FIGURES:
        return (Key("environment", cluster, _CLUSTER_FIGURES[name]),)
    if name in _RETRY_FIGURES:
        return (_everything(_RETRY_FIGURES[name]),)
    if name == "envoy_cluster_upstream_rq_xx":
        return (Key("environment", cluster, "failed_attempts"),) if is_failure else ()
    if labels.get("envoy_http_conn_manager_prefix") != STAT_PREFIX:
        return ()
    if name == "envoy_http_downstream_rq_total":
        return (_everything("gateway_requests"),)
    return (_everything("gateway_errors"),) if name == "envoy_http_downstream_rq_xx" and is_failure else ()


def _requests(environment: str, labels: Mapping[str, str]) -> Iterator[Key]:
    if labels.get("route") in PROBE_ROUTES:
        return
    outcome = labels.get("outcome", "")
    figure = _FIGURES[class_of(outcome)]
    subjects: tuple[tuple[Scope, str], ...] = (
        ("all", EVERYTHING), ("environment", environment), ("model", labels.get("model", "")),
    )  # fmt: skip
    for scope, subject in subjects:
        yield Key(scope, subject, figure)
    if outcome == "stream_error":
        yield Key("model", labels.get("model", ""), "stream_errors")


def _cache(labels: Mapping[str, str]) -> Iterator[Key]:
    status, model = labels.get("status", ""), labels.get("model", "")
    if status in CACHE_HITS:
        yield Key("model", model, "cache_hits")
    elif status == "miss":
        yield Key("model", model, "cache_misses")


def _gpu(name: str, number: str) -> tuple[Key, ...]:
    if not number.isdecimal() or int(number) >= MOST_GPUS:
        return ()
    return _everything(_EVERYTHING_FIGURES[name]), Key("gpu", number, _GPU_FIGURES[name])


def _everything(figure: str) -> Key:
    return Key("all", EVERYTHING, figure)
