"""Every metric of Podium, once: expositions, the monitor, rules, dashboards, the checks and the docs read it here.

A metric that is renamed here is renamed everywhere; a query that names something else fails a test.
"""

from __future__ import annotations

from podium.telemetry.metric import Metric

FIRST_TOKEN_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60,
)  # fmt: skip
PER_TOKEN_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
DURATION_BUCKETS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
)  # fmt: skip

_MODEL = ("model", "version")

# -- requests, counted when they end ---------------------------------------------------------------------------

REQUESTS_RECEIVED = Metric("podium_requests_received_total", "counter", "Requests that arrived.", ("route",))
REQUESTS_IN_FLIGHT = Metric(
    "podium_requests_in_flight",
    "gauge",
    "Requests not ended yet, by how far they are: `admit`, `queue`, `run` or `flush`.",
    ("route", "phase"),
)
REQUESTS = Metric(
    "podium_requests_total",
    "counter",
    "Requests that ended, each with one outcome.",
    (*_MODEL, "route", "outcome"),
)
REQUEST_DURATION = Metric(
    "podium_request_duration_seconds",
    "histogram",
    "From arrival to end; ended well (`ok`), to the server's account (`bad`), or by the caller (`excluded`).",
    (*_MODEL, "route", "outcome_class"),
    buckets=DURATION_BUCKETS,
    vllm="vllm:e2e_request_latency_seconds",
    otel="gen_ai.server.request.duration",
)
TIME_TO_FIRST_TOKEN = Metric(
    "podium_time_to_first_token_seconds",
    "histogram",
    "From arrival to the first token; of computed answers that ended well, not of kept or shared ones.",
    _MODEL,
    buckets=FIRST_TOKEN_BUCKETS,
    vllm="vllm:time_to_first_token_seconds",
    otel="gen_ai.server.time_to_first_token",
)
TIME_PER_OUTPUT_TOKEN = Metric(
    "podium_time_per_output_token_seconds",
    "histogram",
    "Mean gap between tokens of one computed answer that ended well; not of kept or shared ones.",
    _MODEL,
    buckets=PER_TOKEN_BUCKETS,
    vllm="vllm:request_time_per_output_token_seconds",
    otel="gen_ai.server.time_per_output_token",
)
INTER_TOKEN_LATENCY = Metric(
    "podium_inter_token_latency_seconds",
    "histogram",
    "Each gap between two pieces of one answer, as they come from the engine.",
    _MODEL,
    buckets=PER_TOKEN_BUCKETS,
    vllm="vllm:inter_token_latency_seconds",
)
QUEUE_DURATION = Metric(
    "podium_queue_duration_seconds",
    "histogram",
    "Wait for the running batch; of requests that got in.",
    _MODEL,
    buckets=FIRST_TOKEN_BUCKETS,
    vllm="vllm:request_queue_time_seconds",
)
PREFILL_DURATION = Metric(
    "podium_prefill_duration_seconds",
    "histogram",
    "From the place in the batch to the first token; of computed answers that ended well, not of kept or shared ones.",
    _MODEL,
    buckets=FIRST_TOKEN_BUCKETS,
    vllm="vllm:request_prefill_time_seconds",
)
DECODE_DURATION = Metric(
    "podium_decode_duration_seconds",
    "histogram",
    "From the first token to the last; of computed answers that ended well, not of kept or shared ones.",
    _MODEL,
    buckets=DURATION_BUCKETS,
    vllm="vllm:request_decode_time_seconds",
)
PROMPT_TOKENS = Metric(
    "podium_prompt_tokens_total",
    "counter",
    "Prompt tokens that an engine computed; not those of kept or shared answers.",
    _MODEL,
    vllm="vllm:prompt_tokens_total",
)
OUTPUT_TOKENS = Metric(
    "podium_output_tokens_total",
    "counter",
    "Tokens that an engine computed; not those of kept or shared answers.",
    _MODEL,
    vllm="vllm:generation_tokens_total",
)
BATCH_LINES = Metric(
    "podium_batch_lines_total",
    "counter",
    "Lines of batches that were asked, each with one outcome, those asked again included; they are no requests.",
    (*_MODEL, "outcome"),
)
TOKENS_SAMPLED = Metric(
    "podium_output_tokens_sampled_total",
    "counter",
    "Tokens that workers sent: those delivered, discarded and unread together.",
    _MODEL,
)
TOKENS_DELIVERED = Metric(
    "podium_output_tokens_delivered_total", "counter", "Tokens that were read for an answer.", _MODEL
)
TOKENS_DISCARDED = Metric(
    "podium_output_tokens_discarded_total", "counter", "Tokens that came when nobody read the answer any more.", _MODEL
)
TOKENS_UNREAD = Metric("podium_output_tokens_unread", "gauge", "Tokens that wait to be read.", _MODEL)

# -- models, read at each scrape -------------------------------------------------------------------------------

MODEL_RUNNING = Metric(
    "podium_model_running_sequences",
    "gauge",
    "Sequences in the running batch.",
    _MODEL,
    vllm="vllm:num_requests_running",
)
MODEL_WAITING = Metric(
    "podium_model_waiting_requests",
    "gauge",
    "Requests in the admission queue.",
    _MODEL,
    vllm="vllm:num_requests_waiting",
)
RUNNING_LIMIT = Metric("podium_running_limit_sequences", "gauge", "Most sequences in the running batch.", _MODEL)
QUEUE_LIMIT = Metric("podium_queue_limit_requests", "gauge", "Most requests in the admission queue.", _MODEL)
KV_CACHE_USAGE = Metric(
    "podium_kv_cache_usage_ratio",
    "gauge",
    "KV cache in use, 0 to 1.",
    _MODEL,
    vllm="vllm:kv_cache_usage_perc",
)
MODEL_MEMORY = Metric("podium_model_memory_bytes", "gauge", "Resident memory of the worker.", _MODEL)
LAST_PROGRESS = Metric(
    "podium_engine_last_progress_timestamp_seconds",
    "gauge",
    "When the engine last made a step, or had nothing to do; seconds since 1970.",
    _MODEL,
)
WORKER_RESTARTS = Metric("podium_worker_restarts_total", "counter", "Workers replaced.", _MODEL)
MODEL_STATE = Metric("podium_model_state", "gauge", "1 for the present state.", (*_MODEL, "state"))
SERIES_DROPPED = Metric(
    "podium_metrics_series_dropped_total",
    "counter",
    "Times that a model's version was counted as `other`, because more than 64 were known.",
)
OTLP_EXPORTS = Metric(
    "podium_otlp_exports_total",
    "counter",
    "Traces of requests, and pages of metrics, by what became of them: `sent`, `failed`, or `dropped` because too many "
    "waited.",
    ("signal", "result"),
    shown="with `telemetry.otlp_endpoint`",
)
LOG_RECORDS = Metric("podium_log_records_total", "counter", "Log records of the API process, dropped ones too.")
LOG_RECORDS_DROPPED = Metric(
    "podium_log_records_dropped_total",
    "counter",
    "Log records that were dropped, because nobody read standard error and 1 MiB of them waited already.",
)
BUILD_INFO = Metric("podium_build_info", "gauge", "Constant 1.", ("version",))

# -- the machine, read at each scrape --------------------------------------------------------------------------

_GPU = "on a machine with an NVIDIA GPU and `podium[gpu]`"
GPU_MEMORY_USED = Metric("podium_gpu_memory_used_bytes", "gauge", "GPU memory in use.", ("gpu",), shown=_GPU)
GPU_MEMORY_SIZE = Metric("podium_gpu_memory_size_bytes", "gauge", "GPU memory there is.", ("gpu",), shown=_GPU)
GPU_UTILIZATION = Metric(
    "podium_gpu_utilization_ratio", "gauge", "Time in which the GPU worked, 0 to 1.", ("gpu",), shown=_GPU
)
GPU_ENERGY = Metric(
    "podium_gpu_energy_joules_total",
    "counter",
    "Energy that the GPU used since its driver was loaded.",
    ("gpu",),
    shown=_GPU,
)
GPU_XID_ERRORS = Metric(
    "podium_gpu_xid_errors_total",
    "counter",
    "Critical errors (XID) that the driver told of the GPU since the server began.",
    ("gpu",),
    shown=_GPU,
)
PROCESS_CPU = Metric("podium_process_cpu_seconds_total", "counter", "Processor time of the API process.")
PROCESS_MEMORY = Metric("podium_process_resident_memory_bytes", "gauge", "Resident memory of the API process.")
HOST_MEMORY_AVAILABLE = Metric(
    "podium_host_memory_available_bytes", "gauge", "Memory of the machine that could be used."
)
HOST_MEMORY_SIZE = Metric("podium_host_memory_size_bytes", "gauge", "Memory of the machine.")
HOST_CPU = Metric("podium_host_cpu_seconds_total", "counter", "Time of all processors of the machine.", ("mode",))

# -- what requests share, read at each scrape ------------------------------------------------------------------

CACHE_REQUESTS = Metric(
    "podium_cache_requests_total",
    "counter",
    "Generations by what the response cache had to do with them.",
    ("model", "status"),
)
CACHE_GIVEN_UP = Metric(
    "podium_cache_given_up_total", "counter", "Kept answers lost, and answers not kept.", ("reason",)
)
_IN_MEMORY = "with a cache in this process"
CACHE_BYTES = Metric("podium_cache_bytes", "gauge", "Size of the answers in this process.", shown=_IN_MEMORY)
CACHE_ENTRIES = Metric("podium_cache_entries", "gauge", "Answers kept in this process.", shown=_IN_MEMORY)
QUOTA_REFUSALS = Metric("podium_quota_refusals_total", "counter", "Requests refused by a quota.", ("scope", "quota"))
QUOTA_DEGRADED = Metric("podium_quota_degraded", "gauge", "1 while quotas are local shares, because the store is away.")
STORE_CALLS_FAILED = Metric(
    "podium_store_calls_failed_total", "counter", "Calls to the store that failed or came too late.", ("purpose",)
)
STORE_OPEN = Metric(
    "podium_store_open", "gauge", "1 while the store is not asked, because it lately failed.", ("purpose",)
)

# -- the monitor's own -----------------------------------------------------------------------------------------

TARGET_UP = Metric(
    "podium_monitor_target_up", "gauge", "1 while the target answers well.", ("target",), owner="monitor"
)
ALERT_FIRING = Metric(
    "podium_monitor_alert_firing",
    "gauge",
    "1 while the alert fires.",
    ("rule", "subject", "severity"),
    owner="monitor",
)
WEBHOOK_DELIVERIES = Metric(
    "podium_alert_webhook_deliveries_total",
    "counter",
    "Messages for a receiver by what became of them.",
    ("receiver", "result"),
    owner="monitor",
)
GATEWAY_REJECTIONS = Metric(
    "podium_gateway_rejections_total",
    "counter",
    "Configurations that a gateway refused (NACK).",
    owner="monitor",
)
ROLLOUT_WAITING_SINCE = Metric(
    "podium_rollout_waiting_since_timestamp_seconds",
    "gauge",
    "Since when the rollout waits for somebody, or cannot take the canary's traffic away; seconds since 1970. When it "
    "waits for nothing, the time of the scrape.",
    owner="monitor",
)
MODELS_LEFT_OUT = Metric(
    "podium_monitor_models_without_history",
    "gauge",
    "Models whose series find no room in the monitor's memory.",
    owner="monitor",
)
KEPT_BYTES = Metric("podium_monitor_kept_bytes", "gauge", "Size of the kept history.", owner="monitor")
LAST_ROUND = Metric(
    "podium_monitor_last_round_timestamp_seconds",
    "gauge",
    "When figures were last put down; seconds since 1970.",
    owner="monitor",
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them, in the order above."""
