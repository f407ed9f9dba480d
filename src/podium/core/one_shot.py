"""What a one-shot task is: inputs in, one vector for each out, in a single pass of the model.

Embedding, classifying and reranking differ in what an input is made of and in what the numbers mean, not in their way
through the server.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from podium.core.generation import TextPrompt, TokensPrompt
from podium.core.identity import LOCAL, Principal

OneShotTask = Literal["embed", "classify", "rerank"]
Task = Literal["generate", "embed", "classify", "rerank"]
"""What a model does; a model does one thing."""


class PairPrompt(msgspec.Struct, frozen=True, tag="pair"):
    """Two texts that a model reads together, such as a question and a document."""

    first: str
    second: str


Input: TypeAlias = TextPrompt | TokensPrompt | PairPrompt
Vectors: TypeAlias = NDArray[np.float32]
"""float32, shape (inputs, dimensions)."""


class InputIds(NamedTuple):
    """An input as token ids. ``second_from``: where the second text of a pair begins, 0 where there is none.

    Models that tell the two apart get segment 0 before that place and 1 from it on.
    """

    token_ids: tuple[int, ...]
    second_from: int = 0


class OneShotRequest(msgspec.Struct, frozen=True):
    """Inputs to one one-shot model, from one caller, answered together.

    ``param`` is what the caller calls the inputs, for errors. ``priority``: higher is served first among the caller's
    own. ``timeout_seconds``: None is none.
    """

    id: str
    model: str
    inputs: tuple[Input, ...]
    param: str = "input"
    priority: int = 0
    timeout_seconds: float | None = None
    caller: Principal = LOCAL
