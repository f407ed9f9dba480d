"""What the routes of tasks that find something in texts need of the rest of the server, as interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from podium.api.embedded import Embedded
from podium.core.one_shot import OneShotRequest
from podium.core.task_answers import Entity, Filling, FoundAnswer, LabelScore

Aggregation = Literal["none", "simple", "first", "average", "max"]


class TaskResult(Protocol):
    """What came of a request."""

    @property
    def computed(self) -> Embedded:
        """Who computed."""


class Tagged(TaskResult, Protocol):
    """Entities."""

    @property
    def labels(self) -> Sequence[str]:
        """The model's labels."""

    @property
    def entities(self) -> Sequence[Sequence[Entity]]:
        """Of each input, in the order of their places."""


class Labelled(TaskResult, Protocol):
    """How well the caller's labels fit."""

    @property
    def labels(self) -> Sequence[Sequence[LabelScore]]:
        """For each input, by falling score."""


class Filled(TaskResult, Protocol):
    """What may stand in the place of masks."""

    @property
    def mask_token(self) -> str:
        """The text of a mask."""

    @property
    def masks(self) -> Sequence[Sequence[Sequence[Filling]]]:
        """For each input, for each of its masks, by falling probability."""


class Answered(TaskResult, Protocol):
    """Answers to a question."""

    @property
    def windows(self) -> int:
        """In how many pieces the text was read."""

    @property
    def answers(self) -> Sequence[FoundAnswer]:
        """By falling probability."""


class TokenClassifier(Protocol):
    """Takes texts to models that find entities."""

    async def tag(self, request: OneShotRequest, aggregation: Aggregation, ignored: frozenset[str]) -> Tagged:
        """All inputs, or an error; cancelling the wait takes the rest out of the batch. So do those below."""


class ZeroShotClassifier(Protocol):
    """Takes texts to models that know whether one follows from another."""

    async def label(
        self, request: OneShotRequest, labels: Sequence[str], hypothesis: str, *, multi_label: bool
    ) -> Labelled:
        """Which of ``labels`` fit."""


class MaskFiller(Protocol):
    """Takes texts with masks to models that fill them."""

    async def fill(self, request: OneShotRequest, top_k: int) -> Filled:
        """The likeliest tokens for each mask."""


class QuestionAnswerer(Protocol):
    """Takes questions to models that find their answers in a text."""

    async def answer(self, request: OneShotRequest, *, top_k: int, most_tokens: int, allow_none: bool) -> Answered:
        """The likeliest answers, of at most ``most_tokens``; ``allow_none``: or that there is none."""


@dataclass(frozen=True)
class TextTasks:
    """The four."""

    token_classifier: TokenClassifier
    zero_shot: ZeroShotClassifier
    mask_filler: MaskFiller
    question_answerer: QuestionAnswerer
