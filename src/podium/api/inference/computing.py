"""Texts through a model, by its task, to the tensors that it gives."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request

from podium.api.answering import check_prompt_count, run_all
from podium.api.body import validate
from podium.api.call import call_of
from podium.api.context import backend_of
from podium.api.disconnect import stop_on_disconnect
from podium.api.one_shots import note, one_shot_request
from podium.api.sampling import sampling_params
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.core.generation import TextPrompt
from podium.core.one_shot import Input, OneShotRequest, PairPrompt
from podium.core.tensors import Tensor
from podium.protocols.inference import InferSampling

_MICROSECONDS = 1e-6
Texts = Mapping[str, list[str]]


@dataclass(frozen=True)
class Asked:
    """One inference: texts by the name of their tensor, and what else the request says."""

    request: Request
    model: str
    texts: Texts
    parameters: Mapping[str, Any]

    def one_shot(self, inputs: tuple[Input, ...], *more: str) -> OneShotRequest:
        """The inputs to a one-shot model. Raises UnsupportedParameter for parameters that it has no use for."""
        for name in self.parameters:
            if name not in ("priority", "timeout_seconds", *more):
                raise UnsupportedParameter(
                    f"`parameters.{name}` has no meaning for this model. Leave it out.", param=f"parameters.{name}"
                )
        return one_shot_request(
            self.request,
            self.model,
            inputs,
            param="inputs",
            priority=_whole(self.parameters, "priority"),
            timeout=self.parameters.get("timeout_seconds"),
        )


def parameters_of(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters without those of the transport. Raises UnsupportedParameter for Triton's sequences."""
    found = dict(given or {})
    found.pop("binary_data_output", None)
    for name in ("sequence_id", "sequence_start", "sequence_end"):
        if found.pop(name, None):
            raise UnsupportedParameter(
                f"`parameters.{name}`: models here keep no state. Leave it out.", param=f"parameters.{name}"
            )
    timeout = found.pop("timeout", None)
    if timeout is not None:
        if type(timeout) is not int or timeout <= 0:
            raise InvalidRequest("`parameters.timeout` must be a number of microseconds.", param="parameters.timeout")
        found["timeout_seconds"] = timeout * _MICROSECONDS
    return found


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
            request, dimensions=_whole(asked.parameters, "dimensions")
        )
    note(asked.request, embedded)
    return [Tensor("embedding", "FP32", embedded.vectors.shape, embedded.vectors)]


async def classify(asked: Asked) -> list[Tensor]:
    """The likeliest label of each text, and the probability of every label."""
    request = asked.one_shot(tuple(map(TextPrompt, asked.texts["text"])))
    async with stop_on_disconnect(asked.request.receive):
        found = await backend_of(asked.request).classifier.classify(request)
    note(asked.request, found.computed)
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
    async with stop_on_disconnect(asked.request.receive):
        found = await backend_of(asked.request).classifier.rank(request)
    note(asked.request, found.computed)
    scores = np.ascontiguousarray(found.probabilities[:, 0])
    return [Tensor("score", "FP32", scores.shape, scores)]


BY_TASK: dict[str, Callable[[Asked], Coroutine[Any, Any, list[Tensor]]]] = {
    "generate": generate,
    "text2text_generation": generate,
    "embed": embed,
    "classify": classify,
    "rerank": rerank,
}


def _whole(parameters: Mapping[str, Any], name: str) -> int | None:
    value = parameters.get(name)
    if value is not None and type(value) is not int:
        raise InvalidRequest(f"`parameters.{name}` must be an integer.", param=f"parameters.{name}")
    return value
