"""Classifying texts and pairs of texts, as the HTTP surface needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from podium.api.embedded import Embedded
from podium.core.one_shot import OneShotRequest, Vectors


class Classified(Protocol):
    """Shape (inputs, labels): what the model gave, and the probabilities that these are."""

    @property
    def computed(self) -> Embedded:
        """Who computed."""

    @property
    def labels(self) -> Sequence[str]:
        """Names of the columns."""

    @property
    def multi_label(self) -> bool:
        """Whether a row's probabilities stand each for itself, instead of summing to 1."""

    @property
    def scores(self) -> Vectors:
        """As the model gave them."""

    @property
    def probabilities(self) -> Vectors:
        """Between 0 and 1."""


class Classifier(Protocol):
    """Takes texts, and pairs of texts, to models that classify them."""

    async def classify(self, request: OneShotRequest) -> Classified:
        """All inputs, or an error; cancelling the wait takes the rest out of the batch."""

    async def rank(self, request: OneShotRequest) -> Classified:
        """The same for models whose only label is relevance."""
