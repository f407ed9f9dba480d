"""Zero-shot classification: labels that the caller names, by a model that knows whether one text follows from another.

The arithmetic is that of transformers' pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from podium.core.errors import InvalidRequest
from podium.core.generation import TextPrompt
from podium.core.one_shot import Input, OneShotRequest, PairPrompt, Vectors
from podium.core.task_answers import LabelScore
from podium.models.one_shot import Computed, OneShots
from podium.models.task_plans import entailment_of


@dataclass(frozen=True)
class Labelled:
    """For each input, the caller's labels by how well they fit."""

    computed: Computed
    labels: Sequence[Sequence[LabelScore]]


class ZeroShotClassifier:
    """Tells which of the caller's labels fit a text."""

    def __init__(self, one_shots: OneShots) -> None:
        self._one_shots = one_shots

    async def label(
        self, request: OneShotRequest, labels: Sequence[str], hypothesis: str, *, multi_label: bool
    ) -> Labelled:
        """All inputs. ``hypothesis`` has one ``{}``, in the place of a label.

        The scores of an input sum to 1, unless ``multi_label``: then each stands for itself, as that of a single label.

        Raises what ``OneShots.compute`` raises, and ``InvalidRequest`` for a hypothesis without that place.
        """
        if hypothesis.count("{}") != 1:
            raise InvalidRequest(
                "`hypothesis_template` must have {} once, where the label goes, as in “This example is {}.”",
                param="hypothesis_template",
            )
        hypotheses = [hypothesis.replace("{}", label) for label in labels]
        pairs = tuple(PairPrompt(_text(given), one) for given in request.inputs for one in hypotheses)
        computed = await self._one_shots.compute(msgspec.structs.replace(request, inputs=pairs), "zero_shot")
        shaped = computed.vectors.reshape(len(request.inputs), len(labels), -1)
        fits = label_scores(shaped, entailment_of(computed.facts.labels), multi_label=multi_label)
        return Labelled(computed, [_ranked(labels, row) for row in fits])


def label_scores(scores: Vectors, entailment: int, *, multi_label: bool) -> Vectors:
    """Shape (inputs, labels), from the model's numbers of shape (inputs, labels, outputs)."""
    exact = scores.astype(np.float64)
    follows = exact[..., entailment]
    if multi_label or scores.shape[1] == 1:
        contradicts = exact[..., -1 if entailment == 0 else 0]
        return np.exp(-np.logaddexp(0.0, contradicts - follows)).astype(np.float32)
    powers = np.exp(follows - follows.max(axis=1, keepdims=True))
    found: Vectors = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def _ranked(labels: Sequence[str], scores: Vectors) -> list[LabelScore]:
    order = np.argsort(-scores, kind="stable").tolist()
    return [LabelScore(labels[number], float(scores[number])) for number in order]


def _text(given: Input) -> str:
    assert isinstance(given, TextPrompt), "this is a bug: inputs of this task are texts"  # noqa: S101
    return given.text
