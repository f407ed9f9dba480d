"""``POST /api/embed``."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.disconnect import stop_on_disconnect
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.ollama.translate import model_name
from podium.api.one_shots import note, one_shot_request
from podium.api.openapi import operation
from podium.core.errors import InvalidRequest
from podium.core.generation import TextPrompt
from podium.protocols.ollama import OllamaEmbedding, OllamaEmbedRequest

router = direct_router(tags=["Ollama"])

_NANOSECONDS = 1_000_000_000


@router.post(
    "/api/embed",
    **operation(
        "Embed texts",
        request=OllamaEmbedRequest,
        answer=OllamaEmbedding,
        reserves=True,
        example={"model": "demo", "input": ["The sea was calm."]},
    ),
)
async def embed(request: Request) -> Response:
    """One vector for each input, in their order; all of them, or an error."""
    arrived = time.monotonic()
    backend = backend_of(request)
    body = await read(request, OllamaEmbedRequest, max_depth=backend.server.limits.json_depth)
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not texts or not all(texts):
        raise InvalidRequest("`input` must hold at least one text, and no empty one.", param="input")
    inputs = tuple(map(TextPrompt, texts))
    asked = one_shot_request(request, model_name(body.model), inputs, param="input")
    async with stop_on_disconnect(request.receive):
        embedded = await backend.embedder.embed(asked, dimensions=body.dimensions)
    note(request, embedded, operation="embeddings")
    answer = OllamaEmbedding(
        model=body.model,
        embeddings=embedded.vectors.tolist(),
        total_duration=round((time.monotonic() - arrived) * _NANOSECONDS),
        load_duration=0,
        prompt_eval_count=embedded.prompt_tokens,
    )
    return JsonAnswer(answer, headers=ignored_headers(request))
