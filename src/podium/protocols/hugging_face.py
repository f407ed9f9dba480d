"""What the addresses of all models share for Hugging Face's clients, whichever of their protocols a route speaks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import WithJsonSchema

from podium.protocols.wire import WireModel


class HfTaskRequest(WireModel):
    """A request to a model's own address. What ``inputs`` and ``parameters`` are depends on the model's task."""

    inputs: Annotated[Any, WithJsonSchema({"description": "A text, texts, or what the model's task takes."})]
    parameters: dict[str, Any] | None = None


class HfInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may know of the model at an address."""

    model_id: str
    model_sha: str | None = None
    model_pipeline_tag: str | None
    model_type: dict[str, Any]
    max_input_length: int | None
    max_total_tokens: int | None
    max_best_of: int = 1
    max_stop_sequences: int
    max_client_batch_size: int
    version: str


class HfError(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error; ``error_type`` where Hugging Face's clients have a class for it."""

    error: str
    error_type: Literal["validation", "generation", "overloaded"] | None = None
