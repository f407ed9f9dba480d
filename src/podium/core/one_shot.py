"""What a one-shot task is: inputs in, one vector for each out, in a single pass of the model.

Embedding is the first of them. Reranking and classification differ in what an input is made of and in what
the numbers mean, not in their way through the server.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from podium.core.generation import TextPrompt, TokensPrompt
from podium.core.identity import LOCAL, Principal

OneShotTask = Literal["embed"]
Task = Literal["generate", "embed"]
"""What a model does; a model does one thing."""

Input: TypeAlias = TextPrompt | TokensPrompt
Vectors: TypeAlias = NDArray[np.float32]
"""float32, shape (inputs, dimensions)."""


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """Inputs to one embedding model, from one caller, answered together.

    ``dimensions`` None is all of the model's. ``priority``: higher is served first among the caller's own.
    ``timeout_seconds``: None is none.
    """

    id: str
    model: str
    inputs: tuple[Input, ...]
    dimensions: int | None = None
    priority: int = 0
    timeout_seconds: float | None = None
    caller: Principal = LOCAL
