"""What a one-shot task is: inputs in, rows of numbers for each out, in a single pass of the model.

The tasks differ in what an input is made of, in what it has a row for (itself, each of its tokens, each of its masks)
and in what the numbers mean, not in their way through the server.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from podium.core.generation import TextPrompt, TokensPrompt
from podium.core.identity import LOCAL, Principal

OneShotTask = Literal[
    "embed", "classify", "rerank", "zero_shot", "token_classification", "fill_mask", "question_answering"
]
WritingTask = Literal["generate", "text2text_generation"]
"""Text in, text out, a token at a time: the prompt goes on, or it is read first and another text is written of it."""
Task = Literal[WritingTask, OneShotTask]
"""What a model does; a model does one thing."""
WRITING: Final[tuple[WritingTask, ...]] = get_args(WritingTask)


class PairPrompt(msgspec.Struct, frozen=True, tag="pair"):
    """Two texts that a model reads together, such as a question and a document."""

    first: str
    second: str


class WindowedPrompt(msgspec.Struct, frozen=True, tag="windowed"):
    """A question and a text, of any length, to look for its answer in.

    The text is cut into windows of as many tokens as the model's context holds beside the question, at most
    ``window_tokens`` of both (0: no other bound); neighbours share ``stride_tokens``. Each is an input of its own, and
    there are at most ``MOST_WINDOWS``, of at most ``MOST_WINDOW_TOKENS``.
    """

    question: str
    text: str
    window_tokens: int = 0
    stride_tokens: int = 128


MOST_WINDOWS, MOST_WINDOW_TOKENS = 2048, 4 * 1024**2
"""Of one windowed input: as many windows as a request may have inputs, and tokens of all of them."""
MOST_CHARACTERS = 16 * 1024**2
"""Of all inputs of a request, a text that several of them share counted for each: that is what goes to a worker."""

Input: TypeAlias = TextPrompt | TokensPrompt | PairPrompt | WindowedPrompt
Vectors: TypeAlias = NDArray[np.float32]
"""float32, shape (rows, dimensions); a row for each input unless ``RowsOf`` says otherwise."""

RowsOf = Literal["input", "token", "mask"]
"""What an input has rows for: itself; each of its tokens; each of its tokens that are the mask token."""


class InputIds(NamedTuple):
    """An input as token ids. ``second_from``: where the second text of a pair begins, 0 where there is none.

    Models that tell the two apart get segment 0 before that place and 1 from it on.
    """

    token_ids: tuple[int, ...]
    second_from: int = 0


class Spans(NamedTuple):
    """Where the tokens of an input stand in its text: of a pair, the second one.

    ``starts`` and ``ends`` count characters; both are ``SPECIAL`` for the tokens around the text, ``ELSEWHERE`` for
    those of another text. ``words`` numbers the tokenizer's words (-1: none). ``inside``: the token goes on with what
    transformers' token classification takes for a word.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    words: tuple[int, ...]
    inside: tuple[bool, ...]


SPECIAL, ELSEWHERE = -1, -2


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
