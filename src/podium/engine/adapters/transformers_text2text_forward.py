"""Forward passes of an encoder-decoder: one pass of the encoder for a prompt, then decode steps of all rows.

The first decode step, which begins with the decoder's start, belongs to the prompt: so the engine above sees the same
two kinds of pass as with a decoder alone. ``BatchedText2Text`` and ``SoloText2Text`` relate as the two forwards there.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutput

from podium.engine.adapters.transformers_forward import Forward, Prefill, SoloRows, agree, rounding_bound
from podium.engine.adapters.transformers_text2text_cache import WrittenAndRead, empty_cache

_log = logging.getLogger(__name__)

_PROBE_LENGTHS = (7, 3)
_PROBE_STEPS = 2


class _Reader:
    """The pass of the encoder and the decoder's first step, of one row by itself."""

    def __init__(self, model: Any, decoder_start_token_id: int) -> None:
        self._model = model
        self._encoder = model.get_encoder()
        self._start = decoder_start_token_id

    def prefill(self, prompt: Prefill, count: int, *, all_positions: bool) -> torch.Tensor:
        """See ``Forward``; the whole prompt at once, for each of its tokens is read with all others."""
        del count, all_positions  # a prompt's own tokens have no probabilities here
        ids = torch.tensor([prompt.token_ids], dtype=torch.long, device=self._model.device)
        read = self._encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        prompt.done = len(prompt.token_ids)
        prompt.state = {"read": read, "cache": empty_cache(), "written": 0}
        return self.advance(prompt, self._start)

    def advance(self, prompt: Prefill, token_id: int) -> torch.Tensor:
        """Write one token of a row by itself; logits of shape (1, vocabulary)."""
        read = prompt.state["read"]
        outputs = self._model(
            encoder_outputs=BaseModelOutput(last_hidden_state=read),
            attention_mask=torch.ones(read.shape[:2], dtype=torch.long, device=read.device),
            decoder_input_ids=torch.tensor([[token_id]], dtype=torch.long, device=read.device),
            past_key_values=prompt.state["cache"],
            use_cache=True,
        )
        prompt.state["written"] += 1
        logits: torch.Tensor = outputs.logits[:, -1]
        return logits


class SoloText2Text(SoloRows):
    """One row after the other."""

    def __init__(self, model: Any, decoder_start_token_id: int) -> None:
        super().__init__()
        self._reader = _Reader(model, decoder_start_token_id)
        self.prefill = self._reader.prefill

    @property
    def tokens(self) -> int:
        """See ``Forward``."""
        return sum(row.done + row.state["written"] for row in self._rows)

    def _decode_row(self, row: Prefill, token: int) -> torch.Tensor:
        return self._reader.advance(row, token)


class BatchedText2Text:
    """All rows in one pass of the decoder, whatever each has read and written."""

    def __init__(self, model: Any, decoder_start_token_id: int) -> None:
        self._model = model
        self._reader = _Reader(model, decoder_start_token_id)
        self._rows = WrittenAndRead()
        self._positions = RowPositions.of(model)
        self.prefill = self._reader.prefill

    def join(self, prompt: Prefill) -> None:
        """See ``Forward``."""
        state, prompt.state = prompt.state, {}
        self._rows.join(state["cache"], state["written"], prompt.done)

    def leave(self, row: int) -> None:
        """See ``Forward``."""
        self._rows.leave(row)

    def decode(self, token_ids: list[int]) -> torch.Tensor:
        """See ``Forward``."""
        written, read = self._rows.written, self._rows.read
        written_mask = written.prepare_step()
        device = self._model.device
        with self._positions(written.lengths):
            outputs = self._model(
                encoder_outputs=BaseModelOutput(last_hidden_state=self._read_nothing(len(token_ids))),
                attention_mask=read.mask(),
                decoder_input_ids=torch.tensor(token_ids, dtype=torch.long, device=device)[:, None],
                decoder_attention_mask=written_mask,
                past_key_values=self._rows.both(),
                use_cache=True,
            )
        written.finish_step()
        logits: torch.Tensor = outputs.logits[:, -1]
        return logits

    @property
    def tokens(self) -> int:
        """See ``Forward``."""
        return self._rows.tokens

    def _read_nothing(self, rows: int) -> torch.Tensor:
        """Stands for what the encoder said: its keys and values are in the cache, so only its shape is looked at."""
        width = self._rows.read.layers[0][0].shape[2]
        config = self._model.config
        return torch.zeros((rows, 1, 1), dtype=self._model.dtype, device=self._model.device).expand(
            rows, width, config.d_model
        )


class RowPositions:
    """Lets each row have its own position, in decoders that have a table of them.

    Such decoders count positions from the cache's length, which is the longest row's. T5's, which only look at
    distances, have no table and need nothing.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        self._lengths: list[int] | None = None
        self._given: Any = None
        if table is not None:
            self._plain = table.forward
            table.forward = self._forward

    @classmethod
    def of(cls, model: Any) -> RowPositions:
        """For the decoder of ``model``."""
        return cls(getattr(model.get_decoder(), "embed_positions", None))

    def __call__(self, lengths: list[int]) -> RowPositions:
        """What the next pass is about: how many tokens each row has written."""
        self._given = lengths
        return self

    def __enter__(self) -> None:
        self._lengths = self._given

    def __exit__(self, *_: object) -> None:
        self._lengths = None

    def _forward(self, *arguments: Any, **named: Any) -> torch.Tensor:
        if self._lengths is None:
            positions: torch.Tensor = self._plain(*arguments, **named)
            return positions
        named["position_ids"] = torch.tensor(self._lengths, dtype=torch.long, device=self._table.weight.device)
        found: torch.Tensor = self._plain(*arguments, **named)
        return found.reshape(len(self._lengths), 1, -1)


def choose_text2text(model: Any, decoder_start_token_id: int) -> Forward:
    """The batched forward if it gives the logits of rows by themselves, otherwise the solo one."""
    expected = _probe(SoloText2Text(model, decoder_start_token_id))
    batched = BatchedText2Text(model, decoder_start_token_id)
    try:
        given = _probe(batched)
    except (TypeError, ValueError, AttributeError, IndexError, KeyError, RuntimeError) as error:
        _log.warning("the decoder does not batch (%s): decoding one sequence at a time", type(error).__name__)
        return SoloText2Text(model, decoder_start_token_id)
    if not agree(expected, given, bound=rounding_bound(model)):
        _log.warning("batched logits differ from single ones: decoding one sequence at a time")
        return SoloText2Text(model, decoder_start_token_id)
    for row in reversed(range(len(_PROBE_LENGTHS))):
        batched.leave(row)
    return batched


def _probe(forward: Forward) -> torch.Tensor:
    """Logits of decode steps of rows that have read and written different numbers of tokens."""
    for length in _PROBE_LENGTHS:
        if forward.tokens:
            forward.decode([2])
        prompt = Prefill(tuple(range(1, length + 1)))
        forward.prefill(prompt, length, all_positions=False)
        forward.join(prompt)
    return torch.stack([forward.decode([step + 2, step + 3]).float() for step in range(_PROBE_STEPS)])
