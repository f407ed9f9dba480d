"""From engine output to chunks: detokenisation, stop strings, echo, counting.

The same for every engine, so that a stop string or a half character means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from podium.core.generation import Chunk, FinishReason, SamplingParams, TokenLogprob, ToolCallDelta
from podium.engine.detokenizer import IncrementalDetokenizer
from podium.engine.interface import EngineSequence, RawLogprob, SequenceOutput
from podium.engine.stops import StopMatcher
from podium.engine.tokenizer import Tokenizer
from podium.engine.tool_calls.parser import ToolCallParser


class ChoiceAssembler:
    """Builds the chunks of one choice from one engine sequence.

    ``finished`` turns true with the chunk that has a finish reason; ``must_abort`` says that the engine
    does not know yet (a stop string was met) and has to be told. ``goes_on``: the text goes on where the
    prompt ends, so that its first word has the space before it.
    """

    def __init__(
        self,
        index: int,
        sequence: EngineSequence,
        tokenizer: Tokenizer,
        prompt_text: str,
        calls: ToolCallParser | None = None,
        *,
        goes_on: bool = True,
    ) -> None:
        self.finished = False
        self.must_abort = False
        self._index = index
        self._tokenizer = tokenizer
        self._sampling: SamplingParams = sequence.sampling
        self._stop_ids = sequence.stop_token_ids
        self._max_tokens = sequence.max_tokens
        self._prompt_ids = sequence.token_ids
        self._echo_text: str | None = prompt_text if sequence.sampling.echo else None
        self._detokenizer = IncrementalDetokenizer(tokenizer, sequence.token_ids if goes_on else ())
        self._stops = StopMatcher(sequence.sampling.stop) if sequence.sampling.stop else None
        self._calls = calls
        self._generated = 0

    def add(self, output: SequenceOutput) -> Chunk:
        """The chunk for one step's output. Call only while not ``finished``."""
        token_ids = tuple(output.token_ids)
        self._generated += len(token_ids)
        finish: FinishReason | None = output.finish_reason
        text = self._detokenizer.push(token_ids) if token_ids else ""
        stop_reason: str | int | None = None
        if finish == "stop" and token_ids and token_ids[-1] in self._stop_ids:
            stop_reason = token_ids[-1]
        if finish is not None:
            text += self._detokenizer.flush()
        if self._stops is not None:
            text, met = self._stops.push(text, armed=self._generated > self._sampling.min_tokens)
            if met is not None:
                self.must_abort = finish is None
                finish, stop_reason = "stop", met
            elif finish is not None:
                text += self._stops.flush()
        calls: tuple[ToolCallDelta, ...] = ()
        if self._calls is not None:
            text, calls = self._calls.push(text, last=finish is not None)
            if finish is None and self._calls.enough:
                self.must_abort, finish = True, "tool_calls"
            elif finish == "stop" and self._calls.count:
                finish = "tool_calls"
        self.finished = finish is not None
        chunk = self._chunk(output, text, token_ids, finish, stop_reason)
        return msgspec.structs.replace(chunk, tool_calls=calls) if calls else chunk

    def _chunk(
        self,
        output: SequenceOutput,
        text: str,
        token_ids: tuple[int, ...],
        finish: FinishReason | None,
        stop_reason: str | int | None,
    ) -> Chunk:
        logprobs = self._logprobs(output.logprobs)
        shown_ids = token_ids
        if self._echo_text is not None:
            text = self._echo_text + text
            shown_ids = self._prompt_ids + token_ids
            if logprobs is not None:
                logprobs = (self._logprobs(output.prompt_logprobs) or ()) + logprobs
            self._echo_text = None
        return Chunk(
            index=self._index,
            text=text,
            token_ids=shown_ids,
            token_count=len(token_ids),
            logprobs=logprobs,
            finish_reason=finish,
            stop_reason=stop_reason,
            prompt_tokens=len(self._prompt_ids),
            cached_tokens=output.cached_tokens,
        )

    def _logprobs(self, raw: Sequence[RawLogprob] | None) -> tuple[TokenLogprob, ...] | None:
        if self._sampling.logprobs is None:
            return None
        name = self._tokenizer.token_text
        return tuple(
            TokenLogprob(
                token_id=entry.token_id,
                token=name(entry.token_id),
                logprob=entry.logprob,
                top=tuple((token_id, name(token_id), logprob) for token_id, logprob in entry.top),
            )
            for entry in raw or ()
        )


class TextAssembler:
    """The same for a text engine, whose answer is text already."""

    must_abort = False

    def __init__(self, index: int) -> None:
        self.finished = False
        self._index = index

    def add(self, output: SequenceOutput) -> Chunk:
        """The chunk for one step's output."""
        self.finished = output.finish_reason is not None
        return Chunk(
            index=self._index,
            text=output.text or "",
            token_ids=tuple(output.token_ids),
            token_count=output.token_count,
            logprobs=None if output.text_logprobs is None else tuple(output.text_logprobs),
            finish_reason=output.finish_reason,
            prompt_tokens=output.prompt_tokens,
            cached_tokens=output.cached_tokens,
            tool_calls=output.tool_calls,
        )
