"""What hosting platforms wrap around a model's own requests and answers."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic import Field

from podium.protocols.wire import WireModel

MAX_INSTANCES = 64


class InvocationRequest(WireModel):
    """``POST /invocations`` and ``POST /score``: a request of another route, told by its members."""

    messages: list[Any] | None = Field(None, description="Of `/v1/chat/completions`.")
    prompt: Any = Field(None, description="Of `/v1/completions`.")
    input: Any = Field(
        None, description="Of the route of the model's task: `/v1/embeddings`, `/v1/classify`, `/v1/fill-mask`, …"
    )
    question: str | None = Field(None, description="Of `/v1/question-answering`, with `context`.")
    query: str | None = Field(None, description="Of `/v1/rerank`, with `documents`.")


class PredictRequest(WireModel):
    """``POST /predict`` and ``POST /v1/models/{model}:predict``: several requests of that kind."""

    instances: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_INSTANCES)
    parameters: dict[str, Any] | None = Field(None, description="Members of every instance that it does not have.")


class PredictAnswer(msgspec.Struct, frozen=True):
    """Answer to ``POST /predict``: one for each instance, in their order."""

    predictions: list[Any]
