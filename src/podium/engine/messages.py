"""Messages between the API process and a worker, and how they are framed.

A frame is a 4-byte big-endian length and one msgpack-encoded message. The socket is an inherited
``AF_UNIX`` pair: no path, no permission to get wrong, closed when either side ends.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from podium.core.generation import Chunk, Prompt, SamplingParams
from podium.core.one_shot import Input, InputIds, Spans
from podium.engine.interface import EngineFacts, EngineGauges
from podium.engine.one_shot import OneShotLoad
from podium.engine.text2text import Text2TextPlan
from podium.engine.tool_calls.format import ToolFormat

LENGTH_BYTES = 4
MAX_FRAME_BYTES = 256 * 1024**2


# API process to worker


class Load(msgspec.Struct, frozen=True, tag="load"):
    """First message: which model, with which engine settings (``podium.config.engine`` as a mapping).

    With ``one_shot`` the model computes vectors, with ``text2text`` it is an encoder-decoder, else it generates.
    """

    model_dir: str
    engine: dict[str, Any]
    max_model_len: int = 0
    chat_template: str | None = None
    tool_format: ToolFormat | Literal["auto", "none"] = "auto"
    trust_remote_code: bool = False
    heartbeat_seconds: float = 0.5
    one_shot: OneShotLoad | None = None
    text2text: Text2TextPlan | None = None


class Submit(msgspec.Struct, frozen=True, tag="submit"):
    """Generate. Answered by chunks in ``Step`` messages and ended by a finish reason or an error."""

    id: int
    prompt: Prompt
    sampling: SamplingParams
    default_max_tokens: int


class Abort(msgspec.Struct, frozen=True, tag="abort"):
    """Drop a request; no message about it follows, except what is already on its way."""

    id: int


class Tokenize(msgspec.Struct, frozen=True, tag="tokenize"):
    """Render and tokenize without generating. Answered by ``Tokens`` or ``Refused``."""

    id: int
    prompt: Prompt
    add_special_tokens: bool = True
    strings: bool = True


class Detokenize(msgspec.Struct, frozen=True, tag="detokenize"):
    """Token ids to text. Answered by ``Text`` or ``Refused``."""

    id: int
    token_ids: tuple[int, ...]


class TokenizeInputs(msgspec.Struct, frozen=True, tag="tokenize_inputs"):
    """Tokenize the inputs of a one-shot request. Answered by ``InputTokens`` or ``Refused``, which names ``param``.

    ``spans``: with the places of the tokens in the text.
    """

    id: int
    inputs: tuple[Input, ...]
    param: str = "input"
    spans: bool = False


class Compute(msgspec.Struct, frozen=True, tag="compute"):
    """The vectors of each input. Answered by ``Computed`` in a ``Step``, or ``Refused``."""

    id: int
    inputs: tuple[InputIds, ...]


class Shutdown(msgspec.Struct, frozen=True, tag="shutdown"):
    """Close the engine and exit 0."""


# worker to API process


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Loading goes on: a stage and its done ratio, -1 when unknown."""

    stage: str
    ratio: float


class TokenizerFacts(msgspec.Struct, frozen=True):
    """What ``/tokenizer_info`` and the dispatcher need to know of the tokenizer."""

    vocab_size: int = 0
    bos_token: str | None = None
    eos_token: str | None = None
    pad_token: str | None = None
    chat_template: str | None = None


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Loaded; requests may come."""

    facts: EngineFacts
    tokenizer: TokenizerFacts
    load_seconds: float


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Loading failed; the worker exits. ``code`` is one of ``podium.core.errors``."""

    code: str
    message: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """A request ended with an error."""

    id: int
    code: str
    message: str
    param: str | None = None


class Computed(msgspec.Struct, frozen=True, tag="computed"):
    """Answer to ``Compute``: float32, little endian, shape (rows, dimensions), row by row."""

    id: int
    vectors: bytes


class Step(msgspec.Struct, frozen=True, tag="step"):
    """Everything that one engine step produced, for the whole batch.

    ``discarded_tokens``: of sequences that had been aborted when they came, since the last message.
    """

    chunks: list[tuple[int, Chunk]]
    refused: list[Refused]
    gauges: EngineGauges
    step: int
    seconds: float
    computed: list[Computed] = []
    discarded_tokens: int = 0


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """Sent at a fixed interval by a thread of its own.

    ``step`` counts finished engine steps, ``busy_seconds`` is how long the present step runs (0 when
    idle): alive and stalled are told apart by these, not by the message's mere arrival.
    """

    step: int
    busy_seconds: float
    unfinished: int
    rss_bytes: int
    gauges: EngineGauges


class Tokens(msgspec.Struct, frozen=True, tag="tokens"):
    """Answer to ``Tokenize``; ``strings`` are the tokens' own texts, empty unless they were asked for."""

    id: int
    token_ids: tuple[int, ...]
    strings: tuple[str, ...]


class InputTokens(msgspec.Struct, frozen=True, tag="input_tokens"):
    """Answer to ``TokenizeInputs``: the token ids of each input, of a windowed one those of each window.

    ``spans``: as many where they were asked for, else none.
    """

    id: int
    inputs: tuple[InputIds, ...]
    spans: tuple[Spans, ...] = ()


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Answer to ``Detokenize``."""

    id: int
    text: str


ToWorker = Load | Submit | Abort | Tokenize | Detokenize | TokenizeInputs | Compute | Shutdown
FromWorker = Progress | Ready | Failed | Refused | Step | Heartbeat | Tokens | InputTokens | Text
