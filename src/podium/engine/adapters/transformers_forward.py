"""Forward passes: prefill of one sequence, and a decode step of all.

``BatchedForward`` decodes every running sequence in one pass over a ``PaddedCache``. ``SoloForward``
runs them one after the other with the cache that ``generate`` would use; it serves architectures whose
state is not a plain KV cache (recurrent layers) or whose positions depend on the longest sequence.
``choose_forward`` takes the batched one only if it reproduces the other on a probe.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any, Protocol

import torch
from transformers.cache_utils import DynamicCache

from podium.engine.adapters.transformers_cache import PaddedCache

_log = logging.getLogger(__name__)

_LENGTH_DEPENDENT_ROPE = frozenset({"dynamic", "longrope"})
_PROBE_LENGTHS = (3, 7)
_PROBE_STEPS = 2


class Prefill:
    """A prompt on its way through the model: its own cache and how many tokens it holds."""

    def __init__(self, token_ids: tuple[int, ...]) -> None:
        self.token_ids = token_ids
        self.done = 0
        self.state: dict[str, Any] = {}

    @property
    def remaining(self) -> int:
        """Prompt tokens not yet computed."""
        return len(self.token_ids) - self.done


class Forward(Protocol):
    """What the engine needs of a model. Rows are numbered in the order in which they joined."""

    def prefill(self, prompt: Prefill, count: int, *, all_positions: bool) -> torch.Tensor:
        """Compute up to ``count`` more prompt tokens.

        Returns logits of all of them, shape (tokens, vocabulary), or only of the last, shape (1, vocabulary).
        """

    def join(self, prompt: Prefill) -> None:
        """Append a completely prefilled prompt as the last row."""

    def leave(self, row: int) -> None:
        """Remove a row; the last row takes its number."""

    def decode(self, token_ids: list[int]) -> torch.Tensor:
        """One token for each row in, logits of shape (rows, vocabulary) out."""

    @property
    def tokens(self) -> int:
        """Tokens held in the caches of all rows."""


class BatchedForward:
    """All rows in one pass."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._rows = PaddedCache()
        parameters = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in parameters
        self._takes_logits_to_keep = "logits_to_keep" in parameters

    def prefill(self, prompt: Prefill, count: int, *, all_positions: bool) -> torch.Tensor:
        """See ``Forward``."""
        end = min(prompt.done + count, len(prompt.token_ids))
        cache = prompt.state.setdefault("cache", DynamicCache())
        logits = self._call(
            tokens=[prompt.token_ids[prompt.done : end]],
            positions=[list(range(prompt.done, end))],
            mask=torch.ones((1, end), dtype=torch.long, device=self._model.device),
            cache=cache,
            keep=0 if all_positions else 1,
        )
        prompt.done = end
        return logits[0]

    def join(self, prompt: Prefill) -> None:
        """See ``Forward``."""
        self._rows.join(prompt.state.pop("cache"), len(prompt.token_ids))

    def leave(self, row: int) -> None:
        """See ``Forward``."""
        self._rows.leave(row)

    def decode(self, token_ids: list[int]) -> torch.Tensor:
        """See ``Forward``."""
        mask = self._rows.prepare_step()
        logits = self._call(
            tokens=[[token] for token in token_ids],
            positions=[[length] for length in self._rows.lengths],
            mask=mask,
            cache=self._rows.cache,
            keep=1,
        )
        self._rows.finish_step()
        return logits[:, -1]

    @property
    def tokens(self) -> int:
        """See ``Forward``."""
        return sum(self._rows.lengths)

    def _call(self, *, tokens: Any, positions: Any, mask: torch.Tensor, cache: Any, keep: int) -> torch.Tensor:
        device = self._model.device
        arguments: dict[str, Any] = {"attention_mask": mask, "past_key_values": cache, "use_cache": True}
        if self._takes_positions:
            arguments["position_ids"] = torch.tensor(positions, dtype=torch.long, device=device)
        if self._takes_logits_to_keep:
            arguments["logits_to_keep"] = keep
        logits = self._model(torch.tensor(tokens, dtype=torch.long, device=device), **arguments).logits
        return logits[:, -keep:] if keep else logits


class SoloRows:
    """Rows decoded one after the other, each by ``_decode_row``, which gives logits of shape (1, vocabulary)."""

    def __init__(self) -> None:
        self._rows: list[Prefill] = []

    def join(self, prompt: Prefill) -> None:
        """See ``Forward``."""
        self._rows.append(prompt)

    def leave(self, row: int) -> None:
        """See ``Forward``."""
        last = self._rows.pop()
        if row < len(self._rows):
            self._rows[row] = last

    def decode(self, token_ids: list[int]) -> torch.Tensor:
        """See ``Forward``."""
        pairs = zip(self._rows, token_ids, strict=True)
        return torch.cat([self._decode_row(row, token) for row, token in pairs])

    def _decode_row(self, row: Prefill, token: int) -> torch.Tensor:
        raise NotImplementedError


class SoloForward(SoloRows):
    """One row after the other, through the very hooks that ``generate`` uses."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model
        parameters = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in parameters
        self._cache_name = "cache_params" if "cache_params" in parameters else "past_key_values"

    def prefill(self, prompt: Prefill, count: int, *, all_positions: bool) -> torch.Tensor:
        """See ``Forward``; the whole prompt at once, since a recurrent state may not take chunks."""
        del count
        ids = self._ids(prompt.token_ids)
        state: dict[str, Any] = {"use_cache": True, "attention_mask": torch.ones_like(ids)}
        if self._takes_positions:
            state["position_ids"] = torch.arange(ids.shape[1], device=ids.device)[None]
        if self._model._supports_default_dynamic_cache():  # noqa: SLF001  # generate's own rule
            state[self._cache_name] = DynamicCache(config=self._model.config.get_text_config(decoder=True))
        prompt.state = state
        prompt.done = len(prompt.token_ids)
        logits = self._advance(prompt, ids, first=True)[0]
        return logits if all_positions else logits[-1:]

    @property
    def tokens(self) -> int:
        """See ``Forward``."""
        return sum(row.done for row in self._rows)

    def _decode_row(self, row: Prefill, token: int) -> torch.Tensor:
        row.token_ids = (*row.token_ids, token)
        row.done += 1
        return self._advance(row, self._ids(row.token_ids), first=False)[:, -1]

    def _advance(self, row: Prefill, ids: torch.Tensor, *, first: bool) -> torch.Tensor:
        inputs = self._model.prepare_inputs_for_generation(
            ids, next_sequence_length=None if first else 1, is_first_iteration=first, **row.state
        )
        inputs.pop("logits_to_keep", None)
        outputs = self._model(**inputs, return_dict=True)
        row.state = self._model._update_model_kwargs_for_generation(outputs, row.state)  # noqa: SLF001
        return outputs.logits

    def _ids(self, token_ids: tuple[int, ...]) -> torch.Tensor:
        return torch.tensor([token_ids], dtype=torch.long, device=self._model.device)


def choose_forward(model: Any) -> Forward:
    """The batched forward if it gives the logits that ``generate`` would see, otherwise the solo one."""
    if _rope_depends_on_length(model.config):
        _log.warning("rotary embedding depends on the longest sequence: decoding one sequence at a time")
        return SoloForward(model)
    expected = _probe(SoloForward(model))
    try:
        given = _probe(BatchedForward(model))
    except (TypeError, ValueError, AttributeError, IndexError, KeyError, RuntimeError) as error:
        _log.warning("the architecture does not batch (%s): decoding one sequence at a time", type(error).__name__)
        return SoloForward(model)
    if not agree(expected, given, bound=rounding_bound(model)):
        _log.warning("batched logits differ from single ones: decoding one sequence at a time")
        return SoloForward(model)
    return BatchedForward(model)


def _probe(forward: Forward) -> torch.Tensor:
    """Logits of decode steps for prompts of different lengths, with one join while another runs."""
    for length in _PROBE_LENGTHS:
        prompt = Prefill(tuple(range(1, length + 1)))
        forward.prefill(prompt, length, all_positions=False)
        forward.join(prompt)
    return torch.stack([forward.decode([step + 2, step + 3]).float() for step in range(_PROBE_STEPS)])


def agree(expected: torch.Tensor, given: torch.Tensor, *, bound: float) -> bool:
    """Whether the mean difference is rounding noise. A wrong mask moves logits by the order of their spread."""
    spread = expected.std().clamp(min=1e-6)
    return bool((expected - given).abs().mean() / spread < bound)


def rounding_bound(model: Any) -> float:
    """0.1 % of the spread in f32, 5 % in 16 bits, where kernels that add in another order differ visibly."""
    return 1e-3 if model.dtype == torch.float32 else 5e-2


def _rope_depends_on_length(config: Any) -> bool:
    parameters = getattr(config.get_text_config(decoder=True), "rope_parameters", None) or {}
    nested = [value for value in parameters.values() if isinstance(value, dict)]
    return any(entry.get("rope_type") in _LENGTH_DEPENDENT_ROPE for entry in [parameters, *nested])
