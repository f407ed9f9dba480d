"""Texts through a model, by its task, to the tensors that it gives."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np

from podium.api.answering import check_prompt_count, run_all
from podium.api.body import validate
from podium.api.call import call_of
from podium.api.context import backend_of
from podium.api.disconnect import stop_on_disconnect
from podium.api.inference import finding
from podium.api.inference.asked import Asked, whole_number
from podium.api.one_shots import finished, note
from podium.api.sampling import sampling_params
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.core.generation import TextPrompt
from podium.core.one_shot import PairPrompt
from podium.core.tensors import Tensor
from podium.protocols.inference import InferSampling


async def generate(asked: Asked) -> list[Tensor]:
    """One answer for each prompt."""
    limits = backend_of(asked.request).server.limits
    members = validate(asked.request, InferSampling, dict(asked.parameters))
    if (members.n or 1) > 1:
        raise UnsupportedParameter("`parameters.n` must be 1 here.", param="parameters.n")
    texts = asked.texts["text_input"]
    check_prompt_count(len(texts), limits.prompts, "inputs")
    sampling = sampling_params(members, limits, max_tokens=members.max_tokens)
    requests = call_of(asked.request, members, asked.model).requests(list(map(TextPrompt, texts)), sampling)
    wholes = await run_all(asked.request, backend_of(asked.request).dispatcher, requests)
    return [Tensor("text_output", "BYTES", (len(wholes),), [whole.choices[0].text for whole in wholes])]


async def embed(asked: Asked) -> list[Tensor]:
    """One vector for each text."""
    request = asked.one_shot(tuple(map(TextPrompt, asked.texts["text"])), "dimensions")
    async with stop_on_disconnect(asked.request.receive):
        embedded = await backend_of(asked.request).embedder.embed(
            request, dimensions=whole_number(asked.parameters, "dimensions")
        )
    note(asked.request, embedded)
    return [Tensor("embedding", "FP32", embedded.vectors.shape, embedded.vectors)]


async def classify(asked: Asked) -> list[Tensor]:
    """The likeliest label of each text, and the probability of every label."""
    request = asked.one_shot(tuple(map(TextPrompt, asked.texts["text"])))
    found = await finished(asked.request, backend_of(asked.request).classifier.classify(request))
    labels = [found.labels[best] for best in found.scores.argmax(axis=1).tolist()]
    return [
        Tensor("label", "BYTES", (len(labels),), labels),
        Tensor("probabilities", "FP32", found.probabilities.shape, found.probabilities),
    ]


async def rerank(asked: Asked) -> list[Tensor]:
    """How relevant each document is, in the order of the documents."""
    queries = asked.texts["query"]
    if len(queries) != 1:
        raise InvalidRequest("`query` must hold one text.", param="inputs")
    pairs = tuple(PairPrompt(queries[0], document) for document in asked.texts["documents"])
    request = asked.one_shot(pairs)
    found = await finished(asked.request, backend_of(asked.request).classifier.rank(request))
    scores = np.ascontiguousarray(found.probabilities[:, 0])
    return [Tensor("score", "FP32", scores.shape, scores)]


BY_TASK: dict[str, Callable[[Asked], Coroutine[Any, Any, list[Tensor]]]] = {
    "generate": generate,
    "text2text_generation": generate,
    "embed": embed,
    "classify": classify,
    "rerank": rerank,
    "token_classification": finding.token_classification,
    "zero_shot": finding.zero_shot,
    "fill_mask": finding.fill_mask,
    "question_answering": finding.question_answering,
}
