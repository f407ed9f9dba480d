"""Answers that were computed before."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from podium.config.frozen import Group
from podium.config.words import OFF_IS_A_WORD

MIB = 1024**2


class SemanticCache(Group):
    """Answers to questions that mean the same. Vectors and index are this replica's own."""

    model: str = Field(description="Name of an embedding model that this server serves.")
    threshold: float = Field(
        gt=0,
        le=1,
        description="Least cosine of two questions that share an answer. There is no default: `podium cache calibrate` "
        "finds one for a model and your kind of questions.",
    )
    max_entries: int = Field(10_000, ge=1, description="Most questions remembered; the least recently used go first.")
    ttl_seconds: float = Field(
        3600.0, gt=0, description="How long a question is remembered; never longer than its answer is kept."
    )
    wait_seconds: float = Field(
        0.25,
        gt=0,
        le=10,
        description="Longest wait for a vector; after it the answer is computed as if there were none.",
    )


class Cache(Group):
    """The response cache. Only answers that the request determines (greedy, or one choice with a seed) are kept."""

    store: Annotated[Literal["auto", "memory", "redis", "off"], OFF_IS_A_WORD] = Field(
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
    semantic: SemanticCache | None = Field(
        None, description="Also take the answer to a question that means the same; none: only to the very same one."
    )
    idempotency_seconds: float = Field(86400.0, gt=0, description="How long an `Idempotency-Key` replays its answer.")
    detached_seconds: float = Field(
        60.0, ge=0, description="How long a generation with an `Idempotency-Key` goes on after its client hung up."
    )
