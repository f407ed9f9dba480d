"""``…/embed`` and ``…/similarity`` of text-embeddings-inference."""

from __future__ import annotations

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read, read_object
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.disconnect import stop_on_disconnect
from podium.api.hugging_face.address import model_at, name_of, refuse
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import note, one_shot_request
from podium.api.openapi import operation
from podium.core.generation import TextPrompt
from podium.core.one_shot import Vectors
from podium.protocols.text_embeddings_inference import HfEmbedRequest, HfSimilarityRequest

router = direct_router(tags=["Hugging Face"])
_LEAST_LENGTH = 1e-12


@router.post(
    "/hf/{model_name:path}/embed",
    **operation(
        "Embed texts",
        request=HfEmbedRequest,
        answer=list[list[float]],
        reserves=True,
        example={"inputs": ["The sea was calm.", "A tree is tall."]},
    ),
)
async def embed(request: Request, model_name: str) -> Response:
    """One vector of length 1 for each text, in their order."""
    body = await read(request, HfEmbedRequest, max_depth=backend_of(request).server.limits.json_depth)
    refuse("normalize", body.normalize, True)
    refuse("prompt_name", body.prompt_name)
    refuse("encoding_format", body.encoding_format, "float")
    vectors = await _unit_vectors(request, model_name, body.inputs, dimensions=body.dimensions)
    return JsonAnswer(vectors.tolist(), headers=ignored_headers(request))


@router.post(
    "/hf/{model_name:path}/similarity",
    **operation(
        "Compare a text with others",
        request=HfSimilarityRequest,
        answer=list[float],
        reserves=True,
        example={"inputs": {"source_sentence": "The sea was calm.", "sentences": ["Still water.", "A tall tree."]}},
    ),
)
async def similarity(request: Request, model_name: str) -> Response:
    """The cosine of the first text with each of the others, in their order."""
    body = await read(request, HfSimilarityRequest, max_depth=backend_of(request).server.limits.json_depth)
    texts = (body.inputs.source_sentence, *body.inputs.sentences)
    vectors = await _unit_vectors(request, model_name, texts)
    return JsonAnswer((vectors[1:] @ vectors[0]).tolist(), headers=ignored_headers(request))


async def at_address(request: Request, model_name: str) -> Response:
    """Either, as ``inputs`` are texts or sentences to compare."""
    body = await read_object(request, max_depth=backend_of(request).server.limits.json_depth)
    endpoint = similarity if isinstance(body.get("inputs"), dict) else embed
    return await endpoint(request, model_name)


async def _unit_vectors(
    request: Request, model_name: str, texts: tuple[str, ...], *, dimensions: int | None = None
) -> Vectors:
    name = name_of(model_at(request, model_name))
    asked = one_shot_request(request, name, tuple(map(TextPrompt, texts)), param="inputs")
    async with stop_on_disconnect(request.receive):
        embedded = await backend_of(request).embedder.embed(asked, dimensions=dimensions)
    note(request, embedded)
    lengths = np.linalg.norm(embedded.vectors, axis=1, keepdims=True)
    unit: Vectors = embedded.vectors / np.maximum(lengths, np.float32(_LEAST_LENGTH))
    return unit
