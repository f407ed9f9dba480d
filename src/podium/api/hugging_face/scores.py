"""``…/rerank`` and ``…/predict`` of text-embeddings-inference."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.classified import Classified
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.hugging_face.address import model_at, name_of
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import finished, one_shot_request
from podium.api.openapi import operation
from podium.core.generation import TextPrompt
from podium.core.one_shot import PairPrompt, Vectors
from podium.protocols.text_embeddings_inference import HfPrediction, HfPredictRequest, HfRank, HfRerankRequest

router = direct_router(tags=["Hugging Face"])


@router.post(
    "/hf/{model_name:path}/rerank",
    **operation(
        "Rank texts",
        request=HfRerankRequest,
        answer=list[HfRank],
        reserves=True,
        example={"query": "calm water", "texts": ["The sea was calm.", "A tree is tall."]},
    ),
)
async def rerank(request: Request, model_name: str) -> Response:
    """The texts by relevance to the query, the most relevant first."""
    body = await read(request, HfRerankRequest, max_depth=backend_of(request).server.limits.json_depth)
    pairs = tuple(PairPrompt(body.query, text) for text in body.texts)
    asked = one_shot_request(request, name_of(model_at(request, model_name)), pairs, param="texts")
    found = await finished(request, backend_of(request).classifier.rank(asked))
    scores = found.scores[:, 0].tolist()
    shown = scores if body.raw_scores else found.probabilities[:, 0].tolist()
    best = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    ranks = [HfRank(index, shown[index], body.texts[index] if body.return_text else None) for index in best]
    return JsonAnswer(ranks, headers=ignored_headers(request))


@router.post(
    "/hf/{model_name:path}/predict",
    **operation(
        "Classify texts",
        request=HfPredictRequest,
        answer=list[HfPrediction],
        reserves=True,
        example={"inputs": "I like it."},
    ),
)
async def predict(request: Request, model_name: str) -> Response:
    """The labels of a text or a pair by falling score; of a list, a list for each."""
    body = await read(request, HfPredictRequest, max_depth=backend_of(request).server.limits.json_depth)
    given = body.inputs
    found = await classified(request, model_name, given.inputs)
    rows = by_score(found, found.scores if body.raw_scores else found.probabilities)
    return JsonAnswer(rows[0] if given.single else rows, headers=ignored_headers(request))


async def classified(request: Request, model_name: str, inputs: tuple[str | tuple[str, str], ...]) -> Classified:
    """Texts and pairs through the model at an address."""
    prompts = tuple(TextPrompt(one) if isinstance(one, str) else PairPrompt(*one) for one in inputs)
    asked = one_shot_request(request, name_of(model_at(request, model_name)), prompts, param="inputs")
    return await finished(request, backend_of(request).classifier.classify(asked))


def by_score(found: Classified, shown: Vectors) -> list[list[HfPrediction]]:
    """For each input its labels with the numbers ``shown``, the best first."""
    order = (-found.scores).argsort(axis=1, kind="stable").tolist()
    return [
        [HfPrediction(row[label], found.labels[label]) for label in labels]
        for row, labels in zip(shown.tolist(), order, strict=True)
    ]
