"""A set of served models on echo engines."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from podium.cache.claims import MemoryClaims
from podium.cache.memory_entries import MemoryEntries
from podium.cache.response_cache import ResponseCache
from podium.config.cache import Cache
from podium.config.engine import EchoEngine
from podium.config.models import Model
from podium.config.server import Server
from podium.models.dispatch import Dispatcher
from podium.models.embedding import Embedder
from podium.models.one_shot import OneShots
from podium.models.ports import Quotas
from podium.models.registry import Models
from podium.models.runnable import SourcePolicy
from podium.models.semantic import SemanticAnswers
from podium.models.served import Surroundings
from podium.models.sharing import Sharing
from podium.models.uncounted import Uncounted
from support.quotas import Notebook

GIB = 1024**3


def echo_model(name: str, *, engine: dict[str, Any] | None = None, **settings: Any) -> Model:
    """A configured echo model."""
    return Model(name=name, source="none", engine=EchoEngine(faults=True, **(engine or {})), **settings)


def embedding_model(name: str, *, engine: dict[str, Any] | None = None, **settings: Any) -> Model:
    """A configured echo model that embeds."""
    return echo_model(name, engine=engine, task="embed", **settings)


@asynccontextmanager
async def serving(
    *configs: Model,
    budget_bytes: int = 64 * GIB,
    server: Server | None = None,
    roots: tuple[Path, ...] = (),
    cache: Cache | None = None,
    quotas: Quotas | None = None,
) -> AsyncIterator[tuple[Models, Dispatcher]]:
    """Models and their dispatcher, initial loads finished; everything is unloaded afterwards.

    Without ``cache`` nothing is kept or shared, without ``quotas`` everything is admitted.
    """
    server = server or Server(heartbeat_seconds=0.1, drain_seconds=2.0)
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        policy = SourcePolicy(roots=roots, cache_dir=Path(folder))
        models = Models(configs, Surroundings(server, policy, environment), budget_bytes=budget_bytes)
        settings = cache or Cache(store="off")
        answers = ResponseCache(
            MemoryEntries(max_bytes=settings.max_bytes, max_entry_bytes=settings.max_entry_bytes),
            MemoryClaims(),
            settings,
        )
        async with answers, models:
            await models.initial_loads()
            sharing = Sharing(answers, settings)
            if settings.semantic is not None:
                embedder = Embedder(OneShots(models, Uncounted(), default_timeout_seconds=0.0))
                sharing.semantic = SemanticAnswers(settings.semantic, answers, embedder)
            yield (
                models,
                Dispatcher(models, quotas or Notebook(), sharing, default_max_tokens=100, default_timeout_seconds=0.0),
            )
            await sharing.running.aclose()
