"""Which fields of our log lines leave a node, and which do not.

Our own lines hold no text of a caller. Two kinds of text are not ours: what a worker's libraries print (``line``), and
tracebacks (``exception``), whose last line may quote a value. The gateway's access log has three fields that a caller
chooses or that name him. All of these stay where ``kubectl logs`` shows them.
"""

from __future__ import annotations

WITHHELD = frozenset({"line", "exception", "stack", "client", "path", "user_agent"})
LABELS = ("level",)
"""Few values each: a label with many makes a stream for each of them."""
IDENTIFIERS = ("request_id", "key_id", "tenant")
"""Many values each: they are found by a filter, and are no labels."""
SHIPPED = (
    "ts", "level", "event", "request_id",
    "route", "method", "status", "outcome", "error_code", "error_type", "error", "message", "reason", "problem",
    "tenant", "key_id", "model", "version", "engine", "environment", "cache", "stream", "finish_reason",
    "prompt_tokens", "cached_prompt_tokens", "output_tokens", "bytes_in", "bytes_out",
    "api_seconds", "queue_seconds", "prefill_seconds", "decode_seconds", "flush_seconds", "ttft_seconds",
    "tpot_seconds", "e2e_seconds", "load_seconds", "idle_seconds", "after_seconds", "deadline_seconds",
    "restart_in_seconds", "seconds",
    "active", "admin", "asked", "batch", "by", "control", "count", "expires", "file", "for_model", "ignored",
    "in_flight", "kind",
    "known_keys", "loaded", "missing_keys", "node", "phase", "pid", "process", "purpose", "receiver", "rss_bytes",
    "rule", "slice", "stable", "stage", "to_do", "traffic", "type", "unread_bytes", "was", "what", "what_holds",
    "worker", "protocol", "flags", "details", "server", "attempt", "attempts", "held_us", "server_us", "return_us",
    "total_us",
)  # fmt: skip
