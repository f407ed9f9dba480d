"""``GET /cache/stats`` and ``DELETE /cache``: what the response cache holds, and forgetting it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.response_cache import CacheUse
from podium.api.visible_models import find_model
from podium.core.standing import CacheStatus
from podium.protocols.native_use import CacheCleared, CacheFigures, CacheStats

router = direct_router(tags=["Cache"])

_SHOWN: tuple[CacheStatus, ...] = ("hit", "semantic", "attach", "miss", "bypass")
_EXAMPLE = {
    "keys": 2, "memory_bytes": 200000, "memory_usage": "0.2 MB", "hit_rate": 0.75,
    "hits": 3, "semantic_hits": 0, "attaches": 0, "misses": 1, "bypasses": 0,
}  # fmt: skip


@router.get(
    "/cache/stats",
    **operation(
        "What the response cache holds", answer=CacheStats, answer_example={**_EXAMPLE, "models": {"demo": _EXAMPLE}}
    ),
)
async def cache_stats(request: Request) -> Response:
    """Answers kept and their size, and what became of the requests that this process has answered."""
    uses = await backend_of(request).cache.use()
    models = {use.model: _figures([use]) for use in uses}
    return JsonAnswer(CacheStats(models=models, **msgspec.structs.asdict(_figures(uses))), headers=PRIVATE)


@router.delete(
    "/cache",
    **operation(
        "Empty the response cache",
        answer=CacheCleared,
        query={"model": "Only answers of this model.", "tenant": "Only answers to this tenant."},
        answer_example={"message": "2 answers forgotten", "cleared": 2},
    ),
)
async def clear_cache(request: Request) -> Response:
    """Forgets kept answers on every replica that shares the cache: all of them, or those of a model or a tenant."""
    backend = backend_of(request)
    name, tenant = request.query_params.get("model"), request.query_params.get("tenant")
    model = find_model(backend, principal_of(request.scope), name).name if name else None
    cleared = await backend.cache.clear(model=model, tenant=tenant or None)
    return JsonAnswer(CacheCleared(message=f"{cleared} answers forgotten", cleared=cleared), headers=PRIVATE)


def _figures(uses: Sequence[CacheUse]) -> CacheFigures:
    memory_bytes = sum(use.memory_bytes for use in uses)
    hits, similar, attaches, misses, bypasses = (_count(uses, status) for status in _SHOWN)
    saved = hits + similar + attaches
    asked = saved + misses
    return CacheFigures(
        keys=sum(use.keys for use in uses),
        memory_bytes=memory_bytes,
        memory_usage=f"{memory_bytes / 1e6:.1f} MB",
        hit_rate=round(saved / asked, 4) if asked else 0.0,
        hits=hits,
        semantic_hits=similar,
        attaches=attaches,
        misses=misses,
        bypasses=bypasses,
    )


def _count(uses: Sequence[CacheUse], status: CacheStatus) -> int:
    return sum(use.lookups.get(status, 0) for use in uses)
