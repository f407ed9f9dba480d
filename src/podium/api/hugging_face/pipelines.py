"""What ``huggingface_hub.InferenceClient`` asks of a model whose task is neither generating nor embedding.

Shapes are those of transformers' pipelines: of one text its results, of a list a list for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read_object
from podium.api.classified import Classified
from podium.api.context import backend_of
from podium.api.found import found_answers, found_entities
from podium.api.hugging_face.address import model_at, name_of, refuse
from podium.api.hugging_face.members import read_members
from podium.api.hugging_face.scores import by_score, classified
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import check_pairs, finished, one_shot_request
from podium.api.text_tasks import TextTasks
from podium.core.generation import TextPrompt
from podium.core.one_shot import Input, OneShotRequest, Vectors, WindowedPrompt
from podium.protocols.hf_pipelines import (
    HfClassifyTask,
    HfFilled,
    HfMaskTask,
    HfQuestionTask,
    HfTokenTask,
    HfZeroShotTask,
)
from podium.protocols.text_embeddings_inference import HfPrediction

_WINDOW_TOKENS = 384


async def classify(request: Request, model_name: str) -> Response:
    """The labels of each text by falling score; a list for each also of a single one, as that client reads it."""
    body = await read_members(request, HfClassifyTask)
    found = await classified(request, model_name, body.inputs)
    rows = by_score(found, _applied(found, body.parameters.function_to_apply))
    return JsonAnswer([row[: body.parameters.top_k] for row in rows], headers=ignored_headers(request))


def _applied(found: Classified, function: str | None) -> Vectors:
    match function:
        case None:
            return found.probabilities
        case "none":
            return found.scores
        case "sigmoid":
            return np.exp(-np.logaddexp(0, -found.scores), dtype=np.float32)
        case _:
            powers = np.exp(found.scores - found.scores.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


async def token_classification(request: Request, model_name: str) -> Response:
    """The entities of each text, in the order of their places."""
    body = await read_members(request, HfTokenTask)
    refuse("parameters.stride", body.parameters.stride)
    asked = _asked(request, model_name, _prompts(body.inputs))
    strategy = body.parameters.aggregation_strategy
    ignored = frozenset(body.parameters.ignore_labels)
    tagged = await finished(request, _tasks(request).token_classifier.tag(asked, strategy, ignored))
    return await _rows(request, found_entities(body.inputs, tagged.entities, grouped=strategy != "none"))


async def zero_shot(request: Request, model_name: str) -> Response:
    """The caller's labels for each text, the best first."""
    body = await read_members(request, HfZeroShotTask)
    given = body.parameters
    check_pairs(len(body.inputs), len(given.candidate_labels), param="parameters.candidate_labels")
    asked = _asked(request, model_name, _prompts(body.inputs))
    labelling = _tasks(request).zero_shot.label(
        asked, given.candidate_labels, given.hypothesis_template, multi_label=given.multi_label
    )
    labelled = await finished(request, labelling)
    return await _rows(request, [[HfPrediction(one.score, one.label) for one in row] for row in labelled.labels])


async def fill_mask(request: Request, model_name: str) -> Response:
    """The likeliest tokens for the mask of each text; where it has several, a list for each of them."""
    body = await read_members(request, HfMaskTask)
    refuse("parameters.targets", body.parameters.targets)
    asked = _asked(request, model_name, _prompts(body.inputs))
    filled = await finished(request, _tasks(request).mask_filler.fill(asked, body.parameters.top_k))
    found: list[Any] = []
    for text, masks in zip(body.inputs, filled.masks, strict=True):
        pieces = text.split(filled.mask_token)
        rows = [
            [
                HfFilled(one.score, one.token_id, one.text, _filled(pieces, place, filled.mask_token, one.text))
                for one in mask
            ]
            for place, mask in enumerate(masks)
        ]
        found.append(rows[0] if len(rows) == 1 else rows)
    return await _rows(request, found)


def _filled(pieces: list[str], place: int, mask: str, token: str) -> str:
    """The text with a token in the place of one mask; the others stay."""
    return mask.join(pieces[: place + 1]) + token + mask.join(pieces[place + 1 :])


async def question_answering(request: Request, model_name: str) -> Response:
    """The likeliest answer; a list where ``top_k`` is more than one."""
    body = await read_members(request, HfQuestionTask)
    given = body.parameters
    refuse("parameters.max_question_len", given.max_question_len)
    refuse("parameters.align_to_words", given.align_to_words, True)
    context = body.inputs.context
    window = WindowedPrompt(body.inputs.question, context, given.max_seq_len or _WINDOW_TOKENS, given.doc_stride)
    asked = _asked(request, model_name, (window,))
    answering = _tasks(request).question_answerer.answer(
        asked, top_k=given.top_k, most_tokens=given.max_answer_len, allow_none=given.handle_impossible_answer
    )
    answered = await finished(request, answering)
    spans = found_answers(context, answered.answers)
    return JsonAnswer(spans[0] if spans and given.top_k == 1 else spans, headers=ignored_headers(request))


def _tasks(request: Request) -> TextTasks:
    return backend_of(request).text_tasks


def _prompts(texts: Sequence[str]) -> tuple[TextPrompt, ...]:
    return tuple(map(TextPrompt, texts))


def _asked(request: Request, model_name: str, inputs: tuple[Input, ...]) -> OneShotRequest:
    return one_shot_request(request, name_of(model_at(request, model_name)), inputs, param="inputs")


async def _rows(request: Request, rows: Sequence[Any]) -> Response:
    given = (await read_object(request, max_depth=backend_of(request).server.limits.json_depth))["inputs"]
    return JsonAnswer(rows[0] if isinstance(given, str) else rows, headers=ignored_headers(request))
