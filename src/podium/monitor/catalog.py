"""What is kept: every figure of every subject, and the row of the rings in which it stands.

A subject is everything together, an environment, or a model; a GPU has levels of now, and no history. Rows are
bounded: a model that finds no room has no history of its own, and counts in the figures of everything all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from podium.telemetry.table import DURATION_BUCKETS, FIRST_TOKEN_BUCKETS, PER_TOKEN_BUCKETS

Scope = Literal["all", "environment", "model", "gpu"]
Kind = Literal["counter", "sum", "max"]
"""How a figure adds up: increments are summed; levels are summed over replicas, or the highest one counts."""

MOST_ROWS = 400  # at 48,960 bytes each: 19.6 MB


class Key(NamedTuple):
    """One figure of one subject. ``bucket`` is the upper bound of a histogram's bucket, else None."""

    scope: Scope
    subject: str
    figure: str
    bucket: float | None = None


HISTOGRAMS: dict[str, tuple[float, ...]] = {
    "e2e_seconds": (*DURATION_BUCKETS, float("inf")),
    "ttft_seconds": (*FIRST_TOKEN_BUCKETS, float("inf")),
    "inter_token_seconds": (*PER_TOKEN_BUCKETS, float("inf")),
}

FIGURES: dict[Scope, dict[str, Kind]] = {
    "all": {
        "good": "counter",
        "bad": "counter",
        "excluded": "counter",
        "in_flight": "sum",
        "gateway_requests": "counter",
        "gateway_errors": "counter",
        "retries": "counter",
        "retry_overflow": "counter",
        "gpu_used_bytes": "sum",
        "gpu_size_bytes": "sum",
        "gpu_utilization": "max",
        "gpu_joules": "counter",
        "gpu_xid_errors": "counter",
        "unanswered": "counter",
        "store_open": "max",
        "log_records_dropped": "counter",
        "rejections": "counter",
        "rollout_waiting_seconds": "max",
        "messages_lost": "counter",
        "models_left_out": "max",
        "series_dropped": "counter",
    },
    "environment": {
        "good": "counter",
        "bad": "counter",
        "excluded": "counter",
        "attempts": "counter",
        "failed_attempts": "counter",
        "active": "sum",
        "healthy": "sum",
        "servers": "sum",
    },
    "model": {
        "good": "counter",
        "bad": "counter",
        "excluded": "counter",
        "stream_errors": "counter",
        "prompt_tokens": "counter",
        "output_tokens": "counter",
        "cache_hits": "counter",
        "cache_misses": "counter",
        "worker_restarts": "counter",
        "running": "sum",
        "waiting": "sum",
        "running_limit": "sum",
        "queue_limit": "sum",
        "memory_bytes": "sum",
        "ready": "sum",
        "failed": "sum",
        "kv_ratio": "max",
        "stalled_seconds": "max",
    },
    "gpu": {},
}
SINCE: frozenset[str] = frozenset({"stalled_seconds", "rollout_waiting_seconds"})
"""Figures that are told as times of day, and are kept as how long ago that was."""
EVERYTHING = "everything"


@dataclass(frozen=True)
class Catalog:
    """Rows by key. ``left_out`` names the models that found no room."""

    rows: dict[Key, int]
    kinds: dict[Key, Kind]
    models: tuple[str, ...]
    environments: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def __contains__(self, key: Key) -> bool:
        return key in self.rows

    def buckets(self, model: str, figure: str) -> list[int]:
        """Rows of a histogram's cumulative buckets, the lowest bound first."""
        return [self.rows[Key("model", model, figure, bound)] for bound in HISTOGRAMS[figure]]


def catalog_of(environments: Iterable[str], models: Iterable[str], *, most_rows: int = MOST_ROWS) -> Catalog:
    """Rows for everything, for each environment, and for as many models as fit, in their order."""
    environments, models = tuple(environments), tuple(dict.fromkeys(models))
    found = list(_keys("all", EVERYTHING))
    for environment in environments:
        found += _keys("environment", environment)
    kept: list[str] = []
    for model in models:
        more = list(_keys("model", model))
        if len(found) + len(more) > most_rows:
            break
        found += more
        kept.append(model)
    return Catalog(
        rows={key: row for row, (key, _) in enumerate(found)},
        kinds=dict(found),
        models=tuple(kept),
        environments=environments,
        left_out=models[len(kept) :],
    )


def _keys(scope: Scope, subject: str) -> Iterator[tuple[Key, Kind]]:
    for figure, kind in FIGURES[scope].items():
        yield Key(scope, subject, figure), kind
    if scope == "model":
        for figure, bounds in HISTOGRAMS.items():
            for bound in bounds:
                yield Key(scope, subject, figure, bound), "counter"
