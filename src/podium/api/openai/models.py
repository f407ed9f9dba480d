"""``GET /v1/models`` and ``GET /v1/models/{id}``; ids may contain slashes."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from podium.api.backend import ModelStatus
from podium.api.context import backend_of
from podium.api.json_answer import JsonAnswer
from podium.api.openapi import operation
from podium.protocols.openai_answers import ModelCard, ModelList

router = APIRouter(tags=["OpenAI"])


@router.get("/v1/models", **operation("List models", answer=ModelList))
async def list_models(request: Request) -> Response:
    """Every name that a request may use: models, and their aliases with the model as ``root``."""
    cards: dict[str, ModelCard] = {}
    for status in backend_of(request).models.list():
        for name in (status.name, *status.aliases):
            cards.setdefault(name, _card(name, status))
    return JsonAnswer(ModelList(data=list(cards.values())))


@router.get("/v1/models/{model_id:path}", **operation("Describe a model", answer=ModelCard))
async def get_model(request: Request, model_id: str) -> Response:
    """One model by name, alias or name@version."""
    status = backend_of(request).models.resolve(model_id)
    return JsonAnswer(_card(model_id, status))


def _card(name: str, status: ModelStatus) -> ModelCard:
    return ModelCard(
        id=name, created=int(status.created_unix_seconds), root=status.name, max_model_len=status.max_model_len
    )
