"""``POST /v1/rerank``, also as ``/rerank`` and ``/v2/rerank``: which documents answer a question best."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.classified import Classified
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import finished, task_request, usage_of
from podium.api.openapi import operation
from podium.core.one_shot import PairPrompt
from podium.protocols.tasks import Document, Ranked, RerankAnswer, RerankRequest

router = direct_router(tags=["Tasks"])
_EXAMPLE = {"query": "calm water", "documents": ["The sea was calm.", "A tree is tall."], "top_n": 1}


async def rerank(request: Request) -> Response:
    """The documents by relevance to the query, the most relevant first."""
    body = await read(request, RerankRequest, max_depth=backend_of(request).server.limits.json_depth)
    pairs = tuple(PairPrompt(body.query, document) for document in body.documents)
    asked = task_request(request, body, pairs, param="documents")
    classified = await finished(request, backend_of(request).classifier.rank(asked))
    answer = RerankAnswer(
        id=f"rerank-{asked.id}",
        model=classified.computed.model,
        results=_results(body, classified),
        usage=usage_of(classified.computed),
    )
    return JsonAnswer(answer, headers=ignored_headers(request))


def _results(body: RerankRequest, classified: Classified) -> list[Ranked]:
    """By the model's own numbers: two of them may have one sigmoid."""
    scores = classified.scores[:, 0].tolist()
    shown = scores if body.raw_scores else classified.probabilities[:, 0].tolist()
    best = sorted(range(len(scores)), key=lambda index: (-scores[index], index))[: body.top_n]
    documents = [Document(text) for text in body.documents] if body.return_documents else [None] * len(scores)
    return [Ranked(index, shown[index], documents[index]) for index in best]


for path in ("/v1/rerank", "/rerank", "/v2/rerank"):
    router.post(
        path,
        **operation("Rank documents", request=RerankRequest, answer=RerankAnswer, reserves=True, example=_EXAMPLE),
    )(rerank)
