"""Token classification: which pieces of a text are what, tokens put together as transformers' pipeline does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from podium.core.one_shot import OneShotRequest, Spans, Vectors
from podium.core.task_answers import Entity
from podium.models.one_shot import Computed, OneShots

Aggregation = Literal["none", "simple", "first", "average", "max"]
"""Each token by itself; neighbours of one group; the same, of words that are what their first token, the mean of their
tokens or their surest token is."""


@dataclass(frozen=True)
class Tagged:
    """The entities of each input, in the order of their places."""

    computed: Computed
    labels: Sequence[str]
    entities: Sequence[Sequence[Entity]]


class TokenClassifier:
    """Finds entities in texts."""

    def __init__(self, one_shots: OneShots) -> None:
        self._one_shots = one_shots

    async def tag(self, request: OneShotRequest, aggregation: Aggregation, ignored: frozenset[str]) -> Tagged:
        """Those whose label (with an aggregation: whose group) is not ``ignored``.

        Raises what ``OneShots.compute`` raises.
        """
        computed = await self._one_shots.compute(request, "token_classification", spans=True)
        # Python code, for each token: a thread leaves the event loop free in between.
        found = await asyncio.to_thread(_all_entities, computed, aggregation, ignored)
        return Tagged(computed, computed.facts.labels, found)


def _all_entities(computed: Computed, aggregation: Aggregation, ignored: frozenset[str]) -> list[list[Entity]]:
    labels = computed.facts.labels
    return [
        [entity for entity in entities(scores, spans, labels, aggregation) if entity.label not in ignored]
        for scores, spans in zip(computed.by_input(), computed.spans, strict=True)
    ]


def entities(scores: Vectors, spans: Spans, labels: Sequence[str], aggregation: Aggregation) -> list[Entity]:
    """``scores``: shape (tokens, labels), as the model gave them."""
    words = list(_words(_probabilities(scores), spans, aggregation))
    pieces = [
        _Piece(labels[int(word.scores.argmax())], float(word.scores.max()), word.start, word.end) for word in words
    ]
    if aggregation == "none":
        return [Entity(*piece) for piece in pieces]
    return [_joined(group) for group in _groups(pieces)]


class _Word(NamedTuple):
    """A token, or several that are one word, with a probability for each label."""

    scores: Vectors
    start: int
    end: int


class _Piece(NamedTuple):
    label: str
    score: float
    start: int
    end: int


def _probabilities(scores: Vectors) -> Vectors:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Vectors = powers / powers.sum(axis=1, keepdims=True)
    return found


def _words(scores: Vectors, spans: Spans, aggregation: Aggregation) -> Iterator[_Word]:
    tokens = [number for number, start in enumerate(spans.starts) if start >= 0]
    whole = aggregation in {"first", "average", "max"}
    group: list[int] = []
    for number in tokens:
        if group and not (whole and spans.inside[number]):
            yield _word(scores[group], spans, group, aggregation)
            group = []
        group.append(number)
    if group:
        yield _word(scores[group], spans, group, aggregation)


def _word(scores: Vectors, spans: Spans, tokens: list[int], aggregation: Aggregation) -> _Word:
    match aggregation:
        case "average":
            found = scores.mean(axis=0)
        case "max":
            found = scores[int(scores.max(axis=1).argmax())]
        case _:
            found = scores[0]
    return _Word(found, spans.starts[tokens[0]], spans.ends[tokens[-1]])


def _groups(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    """Neighbours of one group; a label that begins with B- begins a new one."""
    group: list[_Piece] = []
    for piece in pieces:
        if group and (piece.label.startswith("B-") or _tag(piece.label) != _tag(group[-1].label)):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _tag(label: str) -> str:
    return label[2:] if label.startswith(("B-", "I-")) else label


def _joined(group: list[_Piece]) -> Entity:
    score = sum(piece.score for piece in group) / len(group)
    return Entity(group[0].label.split("-", 1)[-1], score, group[0].start, group[-1].end)
