"""What is told about models: values without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field

from podium.core.one_shot import Task
from podium.engine.token_flow import TokenFlow
from podium.models.lifecycle import ModelState
from podium.telemetry.distribution import Distribution


@dataclass(frozen=True)
class LoadProgress:
    """Where a load stands; ``ratio`` is -1 when unknown."""

    stage: str
    ratio: float


@dataclass(frozen=True)
class ModelStatus:
    """One version of one model, now. ``active``: the version that the plain name means.

    ``serving``: it is ready, and its worker lives. ``task`` is None until it is known: it is configured, or was found
    when the model was loaded.
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    state: ModelState
    serving: bool
    active: bool
    default: bool
    source: str
    engine: str
    engine_reason: str
    task: Task | None
    precision: str
    max_model_len: int
    created_unix_seconds: int
    loaded_at_unix_seconds: float | None
    request_count: int
    running: int
    waiting: int
    running_limit: int
    queue_limit: int
    restarts: int
    tokens: TokenFlow
    gaps: Distribution
    memory_bytes: int | None
    kv_cache_usage_ratio: float
    stalled_seconds: float
    progress: LoadProgress | None
    error: str | None

    @property
    def id(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class LoadReport:
    """A finished load."""

    name: str
    version: str
    engine: str
    load_seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class UnloadReport:
    """A finished unload; resident memory of the server and all its workers, in bytes.

    ``memory_before_bytes`` was measured before the model's worker was started, ``memory_loaded_bytes`` just before
    unloading, ``memory_after_bytes`` after its worker had ended.
    """

    name: str
    version: str
    memory_before_bytes: int
    memory_loaded_bytes: int
    memory_after_bytes: int


@dataclass(frozen=True)
class Health:
    """Answers to the three probes; ``reasons`` says why not."""

    started: bool
    live: bool
    ready: bool
    reasons: list[str] = field(default_factory=list)
