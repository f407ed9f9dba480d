"""``POST /v1/embeddings``."""

from __future__ import annotations

import base64

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.disconnect import stop_on_disconnect
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import note, task_request
from podium.api.openapi import operation
from podium.core.errors import InvalidRequest
from podium.core.generation import TextPrompt, TokensPrompt
from podium.core.one_shot import Input, Vectors
from podium.protocols.openai import EmbeddingsRequest, PromptInput
from podium.protocols.openai_answers import Embedding, EmbeddingList, EmbeddingUsage

router = direct_router(tags=["OpenAI"])


@router.post(
    "/v1/embeddings",
    **operation(
        "Embed texts",
        request=EmbeddingsRequest,
        answer=EmbeddingList,
        reserves=True,
        example={"input": ["The sea was calm.", "A tree is tall."], "model": "demo"},
    ),
)
async def embeddings(request: Request) -> Response:
    """One vector for each input, in their order; all of them, or an error."""
    backend = backend_of(request)
    body = await read(request, EmbeddingsRequest, max_depth=backend.server.limits.json_depth)
    inputs = tuple(_input(position, one) for position, one in enumerate(body.input))
    asked = task_request(request, body, inputs, param="input")
    async with stop_on_disconnect(request.receive):
        embedded = await backend.embedder.embed(asked, dimensions=body.dimensions)
    note(request, embedded, operation="embeddings")
    answer = EmbeddingList(
        data=_data(embedded.vectors, as_base64=body.encoding_format == "base64"),
        model=embedded.model,
        usage=EmbeddingUsage(embedded.prompt_tokens, embedded.prompt_tokens),
    )
    return JsonAnswer(answer, headers=ignored_headers(request))


def _input(position: int, given: PromptInput) -> Input:
    if not given:
        raise InvalidRequest(f"Input {position} is empty; give at least one character or token.", param="input")
    return TextPrompt(given) if isinstance(given, str) else TokensPrompt(given)


def _data(vectors: Vectors, *, as_base64: bool) -> list[Embedding]:
    if not as_base64:
        return [Embedding(index, row) for index, row in enumerate(vectors.tolist())]
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    return [Embedding(index, base64.b64encode(row).decode("ascii")) for index, row in enumerate(rows)]
