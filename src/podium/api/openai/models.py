"""``GET /v1/models`` and ``GET /v1/models/{id}``; ids may contain slashes.

Anthropic's clients get their own shape here, told by their header ``anthropic-version``.
"""

from __future__ import annotations

import datetime as dt

from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer
from podium.api.openapi import operation
from podium.api.path_ends import register_name
from podium.api.principal import principal_of
from podium.api.served_models import ModelStatus
from podium.api.visible_models import find_model, visible_models
from podium.protocols.anthropic import ClaudeModel, ClaudeModelList
from podium.protocols.openai_answers import ModelCard, ModelList

router = direct_router(tags=["OpenAI"])
register_name("card", ":predict")  # KServe's verb on the same path


@router.get("/v1/models", **operation("List models", answer=ModelList))
async def list_models(request: Request) -> Response:
    """Every name that the caller may use: models, and their aliases with the model as ``root``."""
    cards: dict[str, ModelCard] = {}
    for status in visible_models(backend_of(request), principal_of(request.scope)):
        for name in (status.name, *status.aliases):
            cards.setdefault(name, _card(name, status))
    found = list(cards.values())
    answer = ClaudeModelList.of([_claude(card) for card in found]) if _is_claude(request) else ModelList(data=found)
    return JsonAnswer(answer, headers=PRIVATE)


@router.get("/v1/models/{model_id:card}", **operation("Describe a model", answer=ModelCard))
async def get_model(request: Request, model_id: str) -> Response:
    """One model by name, alias or name@version."""
    status = find_model(backend_of(request), principal_of(request.scope), model_id)
    card = _card(model_id, status)
    return JsonAnswer(_claude(card) if _is_claude(request) else card, headers=PRIVATE)


def _is_claude(request: Request) -> bool:
    """Anthropic's clients ask on the same path, and name their protocol's version."""
    return "anthropic-version" in request.headers


def _claude(card: ModelCard) -> ClaudeModel:
    created = dt.datetime.fromtimestamp(card.created, dt.UTC).isoformat().replace("+00:00", "Z")
    return ClaudeModel(id=card.id, display_name=card.id, created_at=created)


def _card(name: str, status: ModelStatus) -> ModelCard:
    return ModelCard(
        id=name, created=int(status.created_unix_seconds), root=status.name, max_model_len=status.max_model_len
    )
