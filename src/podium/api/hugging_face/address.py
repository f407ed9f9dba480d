"""Which model an address under ``/hf`` means, and what is refused there by name."""

from __future__ import annotations

from starlette.requests import Request

from podium.api.context import backend_of
from podium.api.path_ends import register_name
from podium.api.principal import principal_of
from podium.api.served_models import ModelStatus
from podium.api.visible_models import find_model
from podium.core.errors import UnsupportedParameter

VERBS = (
    "generate",
    "generate_stream",
    "embed",
    "similarity",
    "rerank",
    "predict",
    "info",
    "health",
    "v1/chat/completions",
)


register_name("hf", *(f"/{verb}" for verb in VERBS))


def model_at(request: Request, name: str) -> ModelStatus:
    """The model of an address. Raises ModelNotFound."""
    return find_model(backend_of(request), principal_of(request.scope), name)


def name_of(status: ModelStatus) -> str:
    """The name that means this version, whatever becomes active meanwhile."""
    return f"{status.name}@{status.version}"


def refuse(param: str, given: object, *allowed: object) -> None:
    """Raises UnsupportedParameter for a member that is given and is not one of ``allowed``."""
    if given is not None and given not in allowed:
        wanted = " or ".join(map(_shown, allowed))
        only = f"Only {wanted} is possible, or leave it out." if allowed else "Leave it out."
        raise UnsupportedParameter(f"`{param}` is not supported here. {only}", param=param)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
