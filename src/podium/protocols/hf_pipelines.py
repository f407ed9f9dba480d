"""Requests and answers in the shapes of Hugging Face's pipelines.

Members that would change an answer in a way that is not possible here are declared, so that they can be refused by
name: see ``refuse`` in ``podium.api.hugging_face.address``.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from pydantic import Field

from podium.protocols.text_tasks import MOST_TEMPLATE_CHARACTERS, Labels, Names, Texts
from podium.protocols.wire import WireModel


class HfClassifyParameters(WireModel):
    """``parameters`` of a text classification."""

    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(None, description="None is the model's.")
    top_k: int | None = Field(None, ge=1, description="Only so many of the best labels.")


class HfClassifyTask(WireModel):
    """Texts to a model that classifies."""

    inputs: Texts
    parameters: HfClassifyParameters = HfClassifyParameters()


class HfTokenParameters(WireModel):
    """``parameters`` of a token classification."""

    aggregation_strategy: Literal["none", "simple", "first", "average", "max"] = "simple"
    ignore_labels: Names = ("O",)
    stride: int | None = Field(None, description="Refused: texts are read whole.")


class HfTokenTask(WireModel):
    """Texts to a model that finds entities."""

    inputs: Texts
    parameters: HfTokenParameters = HfTokenParameters()


class HfZeroShotParameters(WireModel):
    """``parameters`` of a zero-shot classification."""

    candidate_labels: Labels
    hypothesis_template: str = Field("This example is {}.", min_length=2, max_length=MOST_TEMPLATE_CHARACTERS)
    multi_label: bool = False


class HfZeroShotTask(WireModel):
    """Texts to a model that knows whether one follows from another."""

    inputs: Texts
    parameters: HfZeroShotParameters


class HfMaskParameters(WireModel):
    """``parameters`` of a filled mask."""

    top_k: int = Field(5, ge=1, le=100)
    targets: Any = Field(None, description="Refused: all tokens compete.")


class HfMaskTask(WireModel):
    """Texts with masks."""

    inputs: Texts
    parameters: HfMaskParameters = HfMaskParameters()


class HfQuestion(WireModel):
    """A question, and the text that holds its answer."""

    question: str = Field(min_length=1)
    context: str = Field(min_length=1)


class HfQuestionParameters(WireModel):
    """``parameters`` of a question."""

    top_k: int = Field(1, ge=1, le=100)
    max_answer_len: int = Field(15, ge=1, le=512)
    handle_impossible_answer: bool = False
    max_seq_len: int | None = Field(None, ge=16)
    doc_stride: int = Field(128, ge=0)
    max_question_len: int | None = Field(None, description="Refused: questions are not cut.")
    align_to_words: bool | None = Field(None, description="Refused: answers are whole tokens.")


class HfQuestionTask(WireModel):
    """A question to a model that finds answers."""

    inputs: HfQuestion
    parameters: HfQuestionParameters = HfQuestionParameters()


class HfFilled(msgspec.Struct, frozen=True):
    """A token for a mask, and the text with it."""

    score: float
    token: int
    token_str: str
    sequence: str
