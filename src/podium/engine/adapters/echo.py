"""The echo engine: no model, exact behaviour. For tests, load-tool calibration and fault drills.

It answers with the prompt's own tokens, one a step, and ends with its end-of-sequence token when the
prompt has been repeated once (with ``ignore_eos`` or below ``min_tokens`` it starts over). Tokens are
bytes, so every text has a known length.

With ``faults: true`` a prompt may hold one fault word, obeyed at token k of the answer:
``fault:crash@k`` the process ends; ``fault:hang@k`` the step never returns; ``fault:error@k`` the
sequence fails; ``fault:slow@k`` that step takes one second longer; ``fault:lock@k`` that step computes
for about two seconds without giving up Python's lock.
"""

from __future__ import annotations

import importlib.metadata
import math
import os
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from podium.config.engine import EchoEngine
from podium.engine.interface import EngineFacts, EngineGauges, EngineSequence, LoadContext, RawLogprob, SequenceOutput
from podium.engine.tokenizer import Tokenizer

EOS_ID = 256
EOS_TOKEN = "<|end|>"  # noqa: S105 - a token of text
CRASH_STATUS = 86
LOCKING_FACTORIAL = 300_000  # one long call into C
CHAT_TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
_FAULT = re.compile(r"fault:(crash|hang|error|slow|lock)@(\d+)")


@dataclass
class _Echoing:
    sequence: EngineSequence
    fault: tuple[str, int] | None
    generated: int = 0
    prefill_seconds: float = 0.0
    cursor: int = field(default=0)


class Echo:
    """See the module's docstring; ``Engine`` of ``podium.engine.interface``."""

    def __init__(self, config: EchoEngine, context: LoadContext) -> None:
        self._config = config
        self._waiting: list[_Echoing] = []
        self._running: dict[int, _Echoing] = {}
        self.facts = EngineFacts(
            engine="echo",
            engine_version=importlib.metadata.version("msgspec"),
            device="none",
            precision="exact",
            max_model_len=context.max_model_len or config.max_model_len,
            max_batch_sequences=config.max_batch_sequences,
            unsupported={"constraint": "openvino", "logit_bias": "transformers"},
        )

    def submit(self, sequence: EngineSequence) -> None:
        """Accept a sequence."""
        rate = self._config.prefill_tokens_per_second
        self._waiting.append(
            _Echoing(
                sequence,
                self._fault_in(sequence),
                prefill_seconds=len(sequence.token_ids) / rate if rate else 0.0,
            )
        )

    def abort(self, sequence_id: int) -> None:
        """Drop a sequence."""
        self._running.pop(sequence_id, None)
        self._waiting = [entry for entry in self._waiting if entry.sequence.id != sequence_id]

    def has_unfinished(self) -> bool:
        """Whether anything is running or waiting."""
        return bool(self._running or self._waiting)

    def step(self) -> list[SequenceOutput]:
        """One token for each running sequence, after the configured time."""
        pause = self._config.token_interval_seconds
        while self._waiting and len(self._running) < self._config.max_batch_sequences:
            entry = self._waiting.pop(0)
            self._running[entry.sequence.id] = entry
            pause += entry.prefill_seconds
        if pause:
            time.sleep(pause)
        outputs = [self._advance(entry) for entry in list(self._running.values())]
        for output in outputs:
            if output.finish_reason is not None or output.error is not None:
                del self._running[output.sequence_id]
        return outputs

    def gauges(self) -> EngineGauges:
        """Counts only; there is no KV cache."""
        return EngineGauges(running=len(self._running), waiting=len(self._waiting))

    def close(self) -> None:
        """Nothing to free."""
        self._running.clear()
        self._waiting.clear()

    def _fault_in(self, sequence: EngineSequence) -> tuple[str, int] | None:
        if not self._config.faults:
            return None
        found = _FAULT.search(bytes(token for token in sequence.token_ids if token < EOS_ID).decode("utf-8", "replace"))
        return (found[1], int(found[2])) if found else None

    def _advance(self, entry: _Echoing) -> SequenceOutput:
        sequence = entry.sequence
        if entry.fault is not None and entry.fault[1] == entry.generated:
            failed = self._obey(entry.fault[0], sequence.id)
            if failed is not None:
                return failed
        output = SequenceOutput(sequence_id=sequence.id)
        if entry.generated == 0 and sequence.sampling.echo and sequence.sampling.logprobs is not None:
            output.prompt_logprobs = _prompt_logprobs(sequence)
        if sequence.max_tokens == 0:
            output.finish_reason = "length"
            return output
        token = self._next_token(entry)
        entry.generated += 1
        output.token_ids = (token,)
        if sequence.sampling.logprobs is not None:
            output.logprobs = (_logprob(token, sequence.sampling.logprobs),)
        if token in sequence.stop_token_ids and entry.generated > sequence.sampling.min_tokens:
            output.finish_reason = "stop"
        elif entry.generated >= sequence.max_tokens:
            output.finish_reason = "length"
        return output

    def _next_token(self, entry: _Echoing) -> int:
        sequence = entry.sequence
        if entry.cursor == len(sequence.token_ids):
            entry.cursor = 0
            if EOS_ID in sequence.stop_token_ids and entry.generated >= sequence.sampling.min_tokens:
                return EOS_ID
        entry.cursor += 1
        return sequence.token_ids[entry.cursor - 1]

    def _obey(self, fault: str, sequence_id: int) -> SequenceOutput | None:
        if fault == "crash":
            os._exit(CRASH_STATUS)
        if fault == "hang":
            threading.Event().wait()
        if fault == "slow":
            time.sleep(1.0)
            return None
        if fault == "lock":
            math.factorial(LOCKING_FACTORIAL)
            return None
        return SequenceOutput(sequence_id=sequence_id, error=("engine_error", "The echo engine was told to fail here."))


def _logprob(token: int, count: int) -> RawLogprob:
    """A made-up but consistent distribution: the echoed token first, its neighbours below it."""
    top = tuple(((token + rank) % EOS_ID, -0.125 * (1 + rank)) for rank in range(count))
    return RawLogprob(token_id=token, logprob=-0.125, top=((token, -0.125), *top[1:]) if count else ())


def _prompt_logprobs(sequence: EngineSequence) -> list[RawLogprob]:
    count = sequence.sampling.logprobs or 0
    first, *others = sequence.token_ids
    return [RawLogprob(token_id=first, logprob=None), *(_logprob(token, count) for token in others)]


def tokenizer(_folder: Path, chat_template: str | None) -> Tokenizer:
    """A byte tokenizer: token id = byte, 256 = end of sequence. Words end at spaces."""
    letters = _byte_letters()
    inner = tokenizers.Tokenizer(models.BPE(vocab={letter: byte for byte, letter in enumerate(letters)}, merges=[]))
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(" ", "isolated"), bytes_])
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([EOS_TOKEN])
    return Tokenizer(inner, {"eos_token": EOS_TOKEN}, chat_template or CHAT_TEMPLATE)


def _byte_letters() -> list[str]:
    """The letter that stands for each byte in a byte-level vocabulary (GPT-2's published mapping)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    for offset, byte in enumerate(byte for byte in range(256) if byte not in letters):
        letters[byte] = chr(256 + offset)
    return [letters[byte] for byte in range(256)]


def load(_model_dir: Path, config: EchoEngine, context: LoadContext) -> Echo:
    """Ready after ``load_seconds``."""
    if config.load_seconds:
        context.report("pretending to load", 0.0)
        time.sleep(config.load_seconds)
        context.report("pretending to load", 1.0)
    return Echo(config, context)
