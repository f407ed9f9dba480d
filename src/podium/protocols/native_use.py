"""Answers of Podium's own dialect about use: who used what, and what the response cache holds."""

from __future__ import annotations

from typing import Literal

import msgspec

UsageBy = Literal["tenant", "key", "model"]


class UsageFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Use in a time. Tokens are the computed ones: an answer from the response cache counts as a request only.

    ``cost`` is in the unit of the price table.
    """

    requests: int = 0
    cached_requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost: float = 0.0


class UsageGroup(UsageFigures, frozen=True, kw_only=True):
    """Use of one tenant, one key (with its tenant) or one model; the names that do not tell groups apart are null."""

    tenant: str | None = None
    key_id: str | None = None
    model: str | None = None


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``GET /usage``; groups with the most tokens come first."""

    since_seconds: float
    by: UsageBy
    usage: list[UsageGroup]
    total: UsageFigures


class CacheFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the response cache holds and did.

    ``hit_rate`` is the share of answers that were not computed: hits of both kinds and attaches, over those and misses.
    A bypass did not ask the cache and does not count.
    """

    keys: int
    memory_bytes: int
    memory_usage: str
    hit_rate: float
    hits: int
    semantic_hits: int = 0
    attaches: int
    misses: int
    bypasses: int


class CacheStats(CacheFigures, frozen=True, kw_only=True):
    """Answer to ``GET /cache/stats``: all of it, and by model."""

    models: dict[str, CacheFigures]


class CacheCleared(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``DELETE /cache``; ``cleared`` counts the answers that are gone."""

    message: str
    cleared: int
