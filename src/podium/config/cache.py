"""Answers that were computed before."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from podium.config.frozen import Group

MIB = 1024**2


class Cache(Group):
    """The response cache. Only answers that the request determines (greedy, or one choice with a seed) are kept."""

    store: Literal["auto", "memory", "redis", "off"] = Field(
        "auto",
        description="Where answers are kept. `auto`: `redis` when redis.url is set, else `memory`. `off`: none, but "
        "those under an `Idempotency-Key`, in this process, for retries of their own request.",
    )
    ttl_seconds: float = Field(3600.0, gt=0, description="Longest life of a kept answer.")
    max_bytes: int = Field(
        256 * MIB, ge=MIB, description="Memory for kept answers in this process; the least recently used go first."
    )
    max_entry_bytes: int = Field(1 * MIB, ge=1024, description="A longer answer is not kept.")
    allow_force: bool = Field(
        True, description="Whether a request may ask to keep an answer that it does not determine (`cache: force`)."
    )
    idempotency_seconds: float = Field(86400.0, gt=0, description="How long an `Idempotency-Key` replays its answer.")
    detached_seconds: float = Field(
        60.0, ge=0, description="How long a generation with an `Idempotency-Key` goes on after its client hung up."
    )
