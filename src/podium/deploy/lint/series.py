"""The series that a server has, and what kind each is. Compared with a real server's page by a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]


_GAUGES = (
    "podium_model_running_sequences",
    "podium_model_waiting_requests",
    "podium_running_limit_sequences",
    "podium_queue_limit_requests",
    "podium_kv_cache_usage_ratio",
    "podium_engine_last_progress_timestamp_seconds",
    "podium_model_memory_bytes",
    "podium_model_state",
    "podium_cache_bytes",
    "podium_cache_entries",
    "podium_quota_degraded",
    "podium_store_open",
    "podium_requests_in_flight",
    "podium_build_info",
)
_COUNTERS = (
    "podium_worker_restarts_total",
    "podium_cache_requests_total",
    "podium_cache_given_up_total",
    "podium_quota_refusals_total",
    "podium_store_calls_failed_total",
    "podium_requests_received_total",
    "podium_requests_total",
    "podium_prompt_tokens_total",
    "podium_output_tokens_total",
)
_HISTOGRAMS = (
    "podium_request_duration_seconds",
    "podium_time_to_first_token_seconds",
    "podium_time_per_output_token_seconds",
    "podium_queue_duration_seconds",
)
_PARTS = ("_bucket", "_sum", "_count")  # of a histogram; each of them is a counter

SERIES: Mapping[str, Kind] = {
    **dict.fromkeys(_GAUGES, "gauge"),
    **dict.fromkeys(_COUNTERS, "counter"),
    **dict.fromkeys(_HISTOGRAMS, "histogram"),
    **dict.fromkeys((name + part for name in _HISTOGRAMS for part in _PARTS), "counter"),
}
"""By name, as in a query."""
