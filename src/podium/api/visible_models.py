"""The models as one caller sees them: those that it may not use do not exist."""

from __future__ import annotations

from podium.api.backend import Backend
from podium.api.served_models import ModelStatus
from podium.core.errors import ModelNotFound
from podium.core.identity import Principal

_NOBODY = ""  # no model can have this name


def visible_models(backend: Backend, caller: Principal) -> list[ModelStatus]:
    """Every configured version that ``caller`` may use."""
    return [status for status in backend.models.list() if caller.may_use(status.name)]


def find_model(backend: Backend, caller: Principal, name: str) -> ModelStatus:
    """The model that a name, alias or name@version means.

    Raises ModelNotFound for one that does not exist and, with the very same words, for one that
    ``caller`` may not use.
    """
    status = backend.models.resolve(name)
    return status if caller.may_use(status.name) else backend.models.resolve(_NOBODY)


def check_permitted(backend: Backend, caller: Principal, name: str) -> None:
    """Raises ModelNotFound unless ``caller`` may use a model of that name, which need not exist yet."""
    try:
        allowed = caller.may_use(backend.models.resolve(name).name)
    except ModelNotFound:
        if caller.may_use(name.partition("@")[0]):
            return
        raise
    if not allowed:
        backend.models.resolve(_NOBODY)
