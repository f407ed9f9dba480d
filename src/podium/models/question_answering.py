"""Extractive question answering: where in a text the answer stands, and how sure the model is.

A text that is longer than the model's context is read in windows that overlap. Each window's probabilities are its
own, as in the question-answering pipeline that transformers had until its version 5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from podium.core.one_shot import SPECIAL, OneShotRequest, Spans, Vectors
from podium.core.task_answers import FoundAnswer
from podium.models.one_shot import Computed, OneShots

SPARE = 8
NO_ANSWER = FoundAnswer(0.0, 0, 0)


@dataclass(frozen=True)
class Search:
    """How many answers, and how long in tokens at most; ``allow_none``: also that there is none."""

    top_k: int = 1
    most_tokens: int = 15
    allow_none: bool = False


@dataclass(frozen=True)
class Answered:
    """The best answers, by falling score."""

    computed: Computed
    windows: int
    answers: Sequence[FoundAnswer]


class QuestionAnswerer:
    """Finds answers in texts."""

    def __init__(self, one_shots: OneShots) -> None:
        self._one_shots = one_shots

    async def answer(self, request: OneShotRequest, *, top_k: int, most_tokens: int, allow_none: bool) -> Answered:
        """Of the request's only input, a ``WindowedPrompt``. Raises what ``OneShots.compute`` raises."""
        search = Search(top_k, most_tokens, allow_none)
        computed = await self._one_shots.compute(request, "question_answering", spans=True)
        found = await asyncio.to_thread(_best, computed, search)
        return Answered(computed, len(computed.inputs), found)


def _best(computed: Computed, search: Search) -> list[FoundAnswer]:
    windows = zip(computed.by_input(), computed.spans, strict=True)
    return best_answers(windows, search)


def best_answers(windows: Iterable[tuple[Vectors, Spans]], search: Search) -> list[FoundAnswer]:
    """Of the best of each window. A place in the text that two windows know counts once, at its better score."""
    found: dict[tuple[int, int], float] = {}
    none_scores: list[float] = []
    for scores, spans in windows:
        starts, ends, no_answer = _probabilities(scores, spans)
        none_scores.append(no_answer)
        for score, start, end in _spans_of(starts, ends, spans, search):
            found[start, end] = max(score, found.get((start, end), 0.0))
    answers = [FoundAnswer(score, start, end) for (start, end), score in found.items()]
    if search.allow_none:
        answers.append(NO_ANSWER._replace(score=min(none_scores)))
    answers.sort(key=lambda one: (-one.score, one.start, one.end))
    return answers[: search.top_k]


def _probabilities(scores: Vectors, spans: Spans) -> tuple[Vectors, Vectors, float]:
    """Of each token of the text to be the first, and the last, of an answer; and that there is none.

    That is what the model says of its first token, where that is not of a text. No other token outside
    the text has any.
    """
    allowed = np.array(spans.starts) >= 0
    allowed[0] |= spans.starts[0] == SPECIAL
    exact = np.where(allowed[:, None], scores.astype(np.float64), -np.inf)
    powers = np.exp(exact - exact.max(axis=0, keepdims=True))
    starts, ends = (powers / powers.sum(axis=0, keepdims=True)).T.astype(np.float32)
    none = float(starts[0] * ends[0])
    starts[0] = ends[0] = 0.0
    return starts, ends, none


def _spans_of(starts: Vectors, ends: Vectors, spans: Spans, search: Search) -> Iterable[tuple[float, int, int]]:
    """The likeliest pairs of a first and a last token; more than ``top_k``, for several may be of the same words.

    Only pairs that are near enough are multiplied: all pairs of a window of 8,192 tokens would be gigabytes.
    """
    longest = min(search.most_tokens, len(ends))
    padded = np.concatenate((ends, np.zeros(longest - 1, dtype=ends.dtype)))
    products = starts[:, None] * np.lib.stride_tricks.sliding_window_view(padded, longest)
    flat = products.ravel()
    most = min(SPARE * search.top_k, flat.size)
    chosen = np.argpartition(-flat, most - 1)[:most]
    for place in chosen.tolist():
        first, further = divmod(place, longest)
        last = first + further
        if flat[place] > 0 and spans.starts[first] >= 0 and spans.ends[last] >= 0:
            yield float(flat[place]), *_word_bounds(first, last, spans)


def _word_bounds(first: int, last: int, spans: Spans) -> tuple[int, int]:
    """From the beginning of the first token's word to the end of the last one's."""
    words, starts = spans.words, spans.starts
    while first > 0 and starts[first - 1] >= 0 and words[first - 1] == words[first] >= 0:
        first -= 1
    while last + 1 < len(words) and starts[last + 1] >= 0 and words[last + 1] == words[last] >= 0:
        last += 1
    return starts[first], spans.ends[last]
