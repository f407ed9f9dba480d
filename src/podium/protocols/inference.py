"""Requests and answers of the Open Inference Protocol, version 2, and of Triton's additions to it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from pydantic import Field

from podium.protocols.sampling import Count, SamplingMembers
from podium.protocols.text_tasks import MOST_TEMPLATE_CHARACTERS, Names
from podium.protocols.wire import WireModel

MAX_TENSORS = 16
MAX_DIMENSIONS = 8
Name = Field(min_length=1, max_length=256)


class InferInputGiven(WireModel):
    """One input tensor. Binary data comes after the JSON, in the order of the inputs."""

    name: str = Name
    shape: list[int] = Field(max_length=MAX_DIMENSIONS)
    datatype: str = Name
    parameters: dict[str, Any] | None = Field(None, description="`binary_data_size` of data that comes after the JSON.")
    data: list[Any] | None = Field(None, description="Row by row, flat or nested.")


class InferOutputWanted(WireModel):
    """One output tensor."""

    name: str = Name
    parameters: dict[str, Any] | None = Field(None, description="`binary_data`: after the JSON instead of in it.")


class InferRequest(WireModel):
    """``POST /v2/models/{model}/infer``."""

    id: str | None = Field(None, max_length=256, description="Repeated in the answer.")
    parameters: dict[str, Any] | None = Field(
        None, description="`binary_data_output`, `priority`, `timeout` (microseconds), and sampling for generation."
    )
    inputs: list[InferInputGiven] = Field(min_length=1, max_length=MAX_TENSORS)
    outputs: list[InferOutputWanted] | None = Field(None, max_length=MAX_TENSORS, description="None: all of them.")


class InferSampling(SamplingMembers):
    """The parameters of an inference that generates."""

    max_tokens: Count | None = Field(None, description="Most new tokens.")


class InferTaggingParameters(WireModel):
    """The parameters of an inference that finds entities."""

    aggregation_strategy: Literal["none", "simple", "first", "average", "max"] = "simple"
    ignore_labels: Names = ("O",)


class InferLabellingParameters(WireModel):
    """The parameters of an inference that fits labels."""

    hypothesis_template: str = Field("This example is {}.", min_length=2, max_length=MOST_TEMPLATE_CHARACTERS)
    multi_label: bool = False


class InferMaskParameters(WireModel):
    """The parameters of an inference that fills masks."""

    top_k: int = Field(5, ge=1, le=100)


class InferAnsweringParameters(WireModel):
    """The parameters of an inference that answers a question."""

    top_k: int = Field(1, ge=1, le=100)
    max_answer_len: int = Field(15, ge=1, le=512)
    handle_impossible_answer: bool = False


class InferGenerateRequest(InferSampling):
    """``POST /v2/models/{model}/generate`` and ``…/generate_stream``."""

    text_input: str = Field(min_length=1, description="The prompt.")
    parameters: dict[str, Any] | None = Field(None, description="The other members may stand here.")
    id: str | None = Field(None, max_length=256, description="Repeated in the answer.")


class RepositoryIndexRequest(WireModel):
    """``POST /v2/repository/index``."""

    ready: bool | None = Field(None, description="True: only models that are ready.")


class RepositoryRequest(WireModel):
    """``POST /v2/repository/models/{model}/load`` and ``…/unload``."""

    parameters: dict[str, Any] | None = Field(
        None, description="`unload_dependents`: there are none, so it may be set."
    )


class InferServerMetadata(msgspec.Struct, frozen=True):
    """Answer to ``GET /v2``."""

    name: str
    version: str
    extensions: list[str]


class InferTensorMetadata(msgspec.Struct, frozen=True):
    """A tensor that a model takes or gives; -1 is a free dimension."""

    name: str
    datatype: str
    shape: list[int]


class InferModelMetadata(msgspec.Struct, frozen=True):
    """Answer to ``GET /v2/models/{model}``."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[InferTensorMetadata]
    outputs: list[InferTensorMetadata]


class InferState(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer of the health routes: ``live`` or ``ready``, and for a model its ``name``."""

    live: bool | None = None
    ready: bool | None = None
    name: str | None = None


class InferOutput(msgspec.Struct, frozen=True, omit_defaults=True):
    """One output tensor: ``data``, or in ``parameters`` the size of its binary data."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float | str] | None = None
    parameters: dict[str, int] | None = None


class InferAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer to ``POST /v2/models/{model}/infer``."""

    model_name: str
    model_version: str
    outputs: list[InferOutput]
    id: str | None = None


class InferGenerated(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer to ``…/generate``, and each event of ``…/generate_stream``."""

    model_name: str
    model_version: str
    text_output: str
    id: str | None = None


class InferModelState(msgspec.Struct, frozen=True):
    """One version of a model in the repository."""

    name: str
    version: str
    state: str
    reason: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every error on ``/v2/*``, and the last event of a stream that broke."""

    error: str
