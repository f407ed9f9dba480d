"""Requests and answers of Hugging Face's text-generation-inference.

Members that would change an answer in a way that is not possible here are declared, so that they can be refused by
name: see ``refuse`` in ``podium.api.hugging_face.address``.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from pydantic import Field

from podium.protocols.sampling import MAX_COUNT, MAX_SEED, Stops
from podium.protocols.wire import WireModel

DEFAULT_NEW_TOKENS = 100
"""What text-generation-inference 2 takes where ``max_new_tokens`` is left out, and what its clients are told."""


class HfGrammar(WireModel):
    """What the text must match."""

    type: Literal["json", "json_schema", "regex"]
    value: str | dict[str, Any] = Field(description="A JSON schema, or a regular expression.")


class HfParameters(WireModel):
    """``parameters`` of a generation."""

    max_new_tokens: int | None = Field(None, ge=1, le=MAX_COUNT, description="None is 100.")
    do_sample: bool | None = Field(None, description="Draw tokens; also when a member that shapes the draw is given.")
    temperature: float | None = Field(None, gt=0, le=2)
    top_k: int | None = Field(None, ge=1, le=MAX_COUNT)
    top_p: float | None = Field(None, gt=0, le=1)
    typical_p: float | None = Field(None, gt=0, le=1, description="Only 1, which is off.")
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    stop: Stops = Field((), description="Strings that end the text; they are not part of it.")
    return_full_text: bool | None = Field(None, description="Whether the text begins with the prompt.")
    details: bool | None = Field(None, description="Tell of each token, and why the text ended.")
    top_n_tokens: int | None = Field(None, ge=0, le=MAX_COUNT, description="Likeliest tokens of each step, told too.")
    grammar: HfGrammar | None = None
    best_of: int | None = Field(None, ge=1, description="Only 1.")
    truncate: int | None = Field(None, ge=1, description="Refused: prompts are not cut.")
    watermark: bool | None = Field(None, description="Only false.")
    decoder_input_details: bool | None = Field(None, description="Only false.")
    adapter_id: str | None = Field(None, description="Refused: a model is its address.")


class HfGenerateRequest(WireModel):
    """A generation."""

    inputs: str = Field(min_length=1, description="The prompt.")
    parameters: HfParameters = Field(default_factory=HfParameters)
    stream: bool | None = Field(None, description="At the model's own address: whether the text comes as it is made.")


class HfToken(msgspec.Struct, frozen=True):
    """A token that was generated; ``logprob`` is null and ``id`` -1 where the engine does not tell."""

    id: int
    text: str
    logprob: float | None
    special: bool


class HfDetails(msgspec.Struct, frozen=True, kw_only=True):
    """How a text came about."""

    finish_reason: Literal["length", "eos_token", "stop_sequence"]
    generated_tokens: int
    seed: int | None
    prefill: list[HfToken] = []
    tokens: list[HfToken]
    top_tokens: list[list[HfToken]] = []


class HfGenerated(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole text."""

    generated_text: str
    details: HfDetails | None = None


class HfStreamDetails(msgspec.Struct, frozen=True):
    """How a streamed text came about."""

    finish_reason: Literal["length", "eos_token", "stop_sequence"]
    generated_tokens: int
    seed: int | None
    input_length: int


class HfStreamed(msgspec.Struct, frozen=True):
    """One token of a stream; the last one has the whole text."""

    index: int
    token: HfToken
    top_tokens: list[HfToken]
    generated_text: str | None
    details: HfStreamDetails | None
