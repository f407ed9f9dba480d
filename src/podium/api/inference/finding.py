"""Texts through a model that finds something in them, to tensors.

What is found has no shape that a tensor could have, so each element of such a tensor is JSON: the same as on the
task's own route.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from podium.api.body import validate
from podium.api.context import backend_of
from podium.api.found import found_answers, found_entities
from podium.api.inference.asked import Asked
from podium.api.one_shots import check_pairs, finished
from podium.api.text_tasks import TextTasks
from podium.core.errors import InvalidRequest
from podium.core.generation import TextPrompt
from podium.core.one_shot import WindowedPrompt
from podium.core.tensors import Tensor
from podium.protocols.inference import (
    InferAnsweringParameters,
    InferLabellingParameters,
    InferMaskParameters,
    InferTaggingParameters,
)
from podium.protocols.text_tasks import MaskFilling

_WINDOW_TOKENS = 384


async def token_classification(asked: Asked) -> list[Tensor]:
    """The entities of each text: a JSON array."""
    given = validate(asked.request, InferTaggingParameters, dict(asked.parameters))
    texts = asked.texts["text"]
    request = asked.one_shot(_prompts(texts), *InferTaggingParameters.model_fields)
    strategy, ignored = given.aggregation_strategy, frozenset(given.ignore_labels)
    tagged = await finished(asked.request, _tasks(asked).token_classifier.tag(request, strategy, ignored))
    rows = found_entities(texts, tagged.entities, grouped=strategy != "none")
    return [_as_json("entities", rows)]


async def zero_shot(asked: Asked) -> list[Tensor]:
    """The best of the labels for each text, and how well each fits, in the order of the labels."""
    given = validate(asked.request, InferLabellingParameters, dict(asked.parameters))
    texts, labels = asked.texts["text"], asked.texts["candidate_labels"]
    if len(set(labels)) < len(labels):
        raise InvalidRequest("`candidate_labels` must be different texts.", param="inputs")
    check_pairs(len(texts), len(labels), param="inputs")
    request = asked.one_shot(_prompts(texts), *InferLabellingParameters.model_fields)
    work = _tasks(asked).zero_shot.label(request, labels, given.hypothesis_template, multi_label=given.multi_label)
    labelled = await finished(asked.request, work)
    scores = [{one.label: one.score for one in row} for row in labelled.labels]
    numbers = np.array([[row[label] for label in labels] for row in scores], dtype=np.float32)
    best = [row[0].label for row in labelled.labels]
    return [Tensor("label", "BYTES", (len(best),), best), Tensor("scores", "FP32", numbers.shape, numbers)]


async def fill_mask(asked: Asked) -> list[Tensor]:
    """The likeliest tokens for each mask of each text: a JSON array of arrays."""
    given = validate(asked.request, InferMaskParameters, dict(asked.parameters))
    request = asked.one_shot(_prompts(asked.texts["text"]), *InferMaskParameters.model_fields)
    filled = await finished(asked.request, _tasks(asked).mask_filler.fill(request, given.top_k))
    rows = [
        [[MaskFilling(one.score, one.token_id, one.text) for one in mask] for mask in masks] for masks in filled.masks
    ]
    return [_as_json("fillings", rows)]


async def question_answering(asked: Asked) -> list[Tensor]:
    """The likeliest answers to the question, each a JSON object."""
    given = validate(asked.request, InferAnsweringParameters, dict(asked.parameters))
    for name in ("question", "context"):
        if len(asked.texts[name]) != 1:
            raise InvalidRequest(f"`{name}` must hold one text.", param="inputs")
    (context,) = asked.texts["context"]
    window = WindowedPrompt(asked.texts["question"][0], context, _WINDOW_TOKENS)
    request = asked.one_shot((window,), *InferAnsweringParameters.model_fields)
    work = _tasks(asked).question_answerer.answer(
        request, top_k=given.top_k, most_tokens=given.max_answer_len, allow_none=given.handle_impossible_answer
    )
    answered = await finished(asked.request, work)
    return [_as_json("answers", found_answers(context, answered.answers))]


def _as_json(name: str, rows: Sequence[Any]) -> Tensor:
    return Tensor(name, "BYTES", (len(rows),), [msgspec.json.encode(row).decode() for row in rows])


def _prompts(texts: Sequence[str]) -> tuple[TextPrompt, ...]:
    return tuple(map(TextPrompt, texts))


def _tasks(asked: Asked) -> TextTasks:
    return backend_of(asked.request).text_tasks
