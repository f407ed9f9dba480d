"""Classification: how likely each label is; and relevance, which is a classifier with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from podium.core.one_shot import OneShotRequest, Vectors
from podium.engine.interface import EngineFacts
from podium.models.one_shot import Computed, OneShots


@dataclass(frozen=True)
class Classified:
    """Shape (inputs, labels): ``probabilities`` of each label, or ``scores`` as the model gave them.

    Each row of ``probabilities`` sums to 1, unless the model is ``multi_label``: then each stands for itself.
    """

    computed: Computed
    labels: Sequence[str]
    multi_label: bool
    scores: Vectors
    probabilities: Vectors


class Classifier:
    """Turns texts, and pairs of texts, into the probabilities of labels."""

    def __init__(self, one_shots: OneShots) -> None:
        self._one_shots = one_shots

    async def classify(self, request: OneShotRequest) -> Classified:
        """Of each input. Raises what ``OneShots.compute`` raises."""
        return _classified(await self._one_shots.compute(request, "classify", "rerank", "zero_shot"))

    async def rank(self, request: OneShotRequest) -> Classified:
        """The relevance of each pair, the only label. Raises as above; classifiers of other labels are refused."""
        return _classified(await self._one_shots.compute(request, "rerank"))


def _classified(computed: Computed) -> Classified:
    facts = computed.facts
    scores = computed.vectors
    return Classified(computed, facts.labels, facts.multi_label, scores, probabilities_of(scores, facts))


def probabilities_of(scores: Vectors, facts: EngineFacts) -> Vectors:
    """Softmax over the labels; sigmoid of each where they do not exclude each other, as of a single one.

    The same as transformers' text-classification pipeline without ``function_to_apply``.
    """
    exact = scores.astype(np.float64)
    if facts.multi_label or exact.shape[1] == 1:
        found = np.exp(-np.logaddexp(0.0, -exact))
    else:
        powers = np.exp(exact - exact.max(axis=1, keepdims=True))
        found = powers / powers.sum(axis=1, keepdims=True)
    return found.astype(np.float32)
