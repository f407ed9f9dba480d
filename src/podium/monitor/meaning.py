"""What a series of a replica or of Envoy means to the monitor: which figures it counts in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from podium.gateway.listener import STAT_PREFIX
from podium.monitor.catalog import EVERYTHING, Key, Scope

PROBE_ROUTES = frozenset({"/startupz", "/livez", "/readyz", "/metrics"})
"""Not counted as requests: nobody waits for their answers but ourselves."""

BAD = frozenset({"overloaded", "unavailable", "deadline", "stream_error", "server_error"})
EXCLUDED = frozenset({"client_error", "unauthorized", "rate_limited", "cancelled"})
"""Ended by the caller's own doing: neither good nor bad."""

CACHE_HITS = frozenset({"hit", "semantic", "attach"})

_MODEL_FIGURES = {
    "podium_prompt_tokens_total": "prompt_tokens",
    "podium_output_tokens_total": "output_tokens",
    "podium_worker_restarts_total": "worker_restarts",
    "podium_model_running_sequences": "running",
    "podium_model_waiting_requests": "waiting",
    "podium_running_limit_sequences": "running_limit",
    "podium_queue_limit_requests": "queue_limit",
    "podium_kv_cache_usage_ratio": "kv_ratio",
    "podium_model_memory_bytes": "memory_bytes",
    "podium_engine_last_progress_timestamp_seconds": "stalled_seconds",
}
_HISTOGRAMS = {
    "podium_request_duration_seconds_bucket": "e2e_seconds",
    "podium_time_to_first_token_seconds_bucket": "ttft_seconds",
    "podium_time_per_output_token_seconds_bucket": "inter_token_seconds",
}
_EVERYTHING_FIGURES = {
    "podium_requests_in_flight": "in_flight",
    "podium_gpu_memory_used_bytes": "gpu_used_bytes",
    "podium_gpu_memory_size_bytes": "gpu_size_bytes",
}
_CLUSTER_FIGURES = {
    "envoy_cluster_upstream_rq_total": "attempts",
    "envoy_cluster_upstream_rq_active": "active",
    "envoy_cluster_membership_healthy": "healthy",
    "envoy_cluster_membership_total": "servers",
}
_RETRY_FIGURES = {
    "envoy_cluster_upstream_rq_retry": "retries",
    "envoy_cluster_upstream_rq_retry_overflow": "retry_overflow",
}
ENVOY_FILTER = (
    r"^cluster\..*\.(upstream_rq_(total|5xx|active|retry|retry_overflow)|membership_(healthy|total))$"
    r"|^http\..*\.downstream_rq_(total|5xx)$"
)
"""The only statistics that Envoy is asked for."""


def of_replica(environment: str, name: str, labels: Mapping[str, str]) -> tuple[Key, ...]:
    """Figures that a series of a replica in ``environment`` counts in."""
    model = labels.get("model", "")
    if name == "podium_requests_total":
        return tuple(_requests(environment, labels))
    if name == "podium_cache_requests_total":
        return tuple(_cache(labels))
    if name in _HISTOGRAMS:
        return (Key("model", model, _HISTOGRAMS[name], float(labels.get("le", "nan"))),)
    if name in _MODEL_FIGURES:
        return (Key("model", model, _MODEL_FIGURES[name]),)
    if name == "podium_model_state" and labels.get("state") == "ready":
        return (Key("model", model, "ready"),)
    counts = name in _EVERYTHING_FIGURES and labels.get("route") not in PROBE_ROUTES
    return (_everything(_EVERYTHING_FIGURES[name]),) if counts else ()


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
    figure = "bad" if outcome in BAD else "excluded" if outcome in EXCLUDED else "good"
    subjects: tuple[tuple[Scope, str], ...] = (
        ("all", EVERYTHING), ("environment", environment), ("model", labels.get("model", "")),
    )  # fmt: skip
    for scope, subject in subjects:
        yield Key(scope, subject, figure)


def _cache(labels: Mapping[str, str]) -> Iterator[Key]:
    status, model = labels.get("status", ""), labels.get("model", "")
    if status in CACHE_HITS:
        yield Key("model", model, "cache_hits")
    elif status == "miss":
        yield Key("model", model, "cache_misses")


def _everything(figure: str) -> Key:
    return Key("all", EVERYTHING, figure)
