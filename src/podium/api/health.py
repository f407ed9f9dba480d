"""Probes, and ``GET /health``. Nothing here waits for anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from starlette.requests import Request
from starlette.responses import Response

from podium.api.backend import Backend
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.served_models import Health
from podium.api.visible_models import visible_models
from podium.protocols.native import HealthAnswer

router = direct_router(tags=["Server"])
probes = direct_router(tags=["Probes"])
_SERVING = frozenset({"ready"})


@probes.get("/startupz", **operation("Has everything started?", answer=dict[str, Any]))
async def startupz(request: Request) -> Response:
    """200 once every model that loads at start is ready, 503 before."""
    return _probe(request, "started", lambda health: health.started)


@probes.get("/livez", **operation("Does the work go forward?", answer=dict[str, Any]))
async def livez(request: Request) -> Response:
    """200 while every engine makes progress or is idle, 503 when only a restart can help."""
    return _probe(request, "live", lambda health: health.live)


@probes.get("/readyz", **operation("Should traffic be sent?", answer=dict[str, Any]))
async def readyz(request: Request) -> Response:
    """200 while new requests are welcome.

    503 before the first model is ready, before callers can be told apart, and while draining.
    """
    backend = backend_of(request)
    welcome = backend.gatekeeper.ready and not backend.draining()
    return _probe(request, "ready", lambda health: health.ready and welcome)


def _probe(request: Request, verdict: str, passes: Callable[[Health], bool]) -> Response:
    backend = backend_of(request)
    health = backend.models.health()
    good = passes(health)
    own = ((backend.draining(), "draining"), (not backend.gatekeeper.ready, "keys not read yet"))
    reasons = [*health.reasons, *(reason for holds, reason in own if holds)]
    detail = {"status": verdict if good else f"not {verdict}", "reasons": [] if good else reasons}
    return JsonAnswer(detail, status_code=200 if good else 503)


@router.get("/health", **operation("State of the server and its machine", answer=HealthAnswer))
async def health(request: Request) -> Response:
    """``status`` is healthy, starting, degraded, draining or unhealthy; the last three and starting are 503."""
    backend = backend_of(request)
    status = _status(backend)
    caller = principal_of(request.scope)
    answer = HealthAnswer(
        status=status,
        models_loaded=[model.name for model in visible_models(backend, caller) if str(model.state) in _SERVING],
        uptime=round(time.monotonic() - backend.started_at_monotonic_seconds, 3),
        system_info=system_info(),
        reasons=list(backend.models.health().reasons) if caller.models is None else [],  # they name models
    )
    return JsonAnswer(answer, status_code=200 if status in ("healthy", "degraded") else 503)


def _status(backend: Backend) -> str:
    verdict = backend.models.health()
    if backend.draining():
        return "draining"
    if not verdict.live:
        return "unhealthy"
    if not verdict.started:
        return "starting"
    if not verdict.ready or not backend.gatekeeper.ready:
        return "unhealthy"
    return "degraded" if verdict.reasons else "healthy"


def system_info() -> dict[str, Any]:
    """Facts of the machine: percentages, and bytes of available memory. CPU is since the call before."""
    memory = psutil.virtual_memory()
    return {
        "cpu_percent": psutil.cpu_percent(interval=None),
        "memory_percent": memory.percent,
        "memory_available": memory.available,
        "disk_usage": psutil.disk_usage("/").percent,
        "gpu_available": _GPU_DEVICE.exists(),
    }


_GPU_DEVICE = Path("/dev/nvidiactl")
