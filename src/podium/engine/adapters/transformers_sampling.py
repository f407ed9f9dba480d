"""Draws the next token of every sequence from a batch of logits.

Each sequence brings one uniform number from its own generator, and the token is read off the
cumulative distribution. So a draw depends on the sequence's logits and seed, never on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import torch

from podium.core.generation import SamplingParams
from podium.engine.adapters.transformers_logits import adjust, is_adjusted
from podium.engine.adapters.transformers_sequence import Running
from podium.engine.interface import RawLogprob

_SMALLEST_TEMPERATURE = 1e-5
"""Below this, dividing overflows f32; the draw is the argmax long before."""

_FIRST_WIDTH = 1024
_WIDENING = 8
"""Candidates that are sorted at first, and how many times more when that was not enough: most top-p sets are small."""


class Drawn(msgspec.Struct, frozen=True):
    """A sequence's next token. ``token_id`` None: the logits were not numbers."""

    token_id: int | None
    logprob: RawLogprob | None = None


def draw_tokens(logits: torch.Tensor, batch: Sequence[Running]) -> list[Drawn]:
    """Next tokens for ``batch``; ``logits`` has shape (rows, vocabulary). Advances random streams."""
    raw = logits.float()
    usable = raw.amax(dim=-1).isfinite().tolist()
    adjusted = _adjust_rows(raw, batch)
    tokens = adjusted.argmax(dim=-1)
    rows = [index for index, running in enumerate(batch) if not running.sampling.is_greedy and usable[index]]
    if rows:
        tokens[rows] = _sample(adjusted[rows], [batch[row] for row in rows])
    logprobs = _logprobs(raw, tokens, batch)
    return [
        Drawn(token_id, logprob) if good else Drawn(None)
        for token_id, logprob, good in zip(tokens.tolist(), logprobs, usable, strict=True)
    ]


def raw_logprobs(logits: torch.Tensor, tokens: torch.Tensor, top: int) -> list[RawLogprob]:
    """Log probabilities of ``tokens`` (shape (rows,)) and of the ``top`` most likely ones in each row."""
    distribution = torch.log_softmax(logits.float(), dim=-1)
    chosen = distribution.gather(-1, tokens[:, None])[:, 0].tolist()
    values, ids = distribution.topk(min(top, distribution.shape[-1]), dim=-1)
    return [
        RawLogprob(token, logprob, tuple(zip(row_ids, row_values, strict=True)))
        for token, logprob, row_ids, row_values in zip(
            tokens.tolist(), chosen, ids.tolist(), values.tolist(), strict=True
        )
    ]


def _adjust_rows(raw: torch.Tensor, batch: Sequence[Running]) -> torch.Tensor:
    rows = [index for index, running in enumerate(batch) if is_adjusted(running)]
    if not rows:
        return raw
    adjusted = raw.clone()
    for row in rows:
        adjusted[row] = adjust(raw[row], batch[row])
    return adjusted


def _logprobs(raw: torch.Tensor, tokens: torch.Tensor, batch: Sequence[Running]) -> list[RawLogprob | None]:
    found: list[RawLogprob | None] = [None] * len(batch)
    rows = [index for index, running in enumerate(batch) if running.sampling.logprobs is not None]
    if not rows:
        return found
    counts = [batch[row].sampling.logprobs or 0 for row in rows]
    widest = raw_logprobs(raw[rows], tokens[rows], max(counts))
    for row, count, entry in zip(rows, counts, widest, strict=True):
        found[row] = RawLogprob(entry.token_id, entry.logprob, entry.top[:count])
    return found


def _sample(logits: torch.Tensor, batch: Sequence[Running]) -> torch.Tensor:
    """Draw for rows that are not greedy: int64, shape (rows,)."""
    sampling = [running.sampling for running in batch]
    scaled = logits / _column([max(one.temperature, _SMALLEST_TEMPERATURE) for one in sampling], logits)
    uniforms = torch.tensor([running.uniform() for running in batch], dtype=torch.float64, device=logits.device)
    tokens = torch.empty(len(batch), dtype=torch.long, device=logits.device)
    cut = [index for index, one in enumerate(sampling) if one.top_k > 0 or one.top_p < 1.0]
    whole = [index for index in range(len(batch)) if index not in set(cut)]
    if whole:
        tokens[whole] = _draw_whole(scaled[whole], uniforms[whole], [sampling[index] for index in whole])
    if cut:
        tokens[cut] = _draw_cut(scaled[cut], uniforms[cut], [sampling[index] for index in cut])
    return tokens


def _draw_whole(logits: torch.Tensor, uniforms: torch.Tensor, sampling: Sequence[SamplingParams]) -> torch.Tensor:
    """Draw from the distribution after min-p alone; needs no sorting."""
    probabilities = torch.softmax(logits, dim=-1)
    floor = _column([one.min_p for one in sampling], logits) * probabilities.amax(dim=-1, keepdim=True)
    return _invert(probabilities.masked_fill(probabilities < floor, 0.0), uniforms)


def _draw_cut(
    logits: torch.Tensor, uniforms: torch.Tensor, sampling: Sequence[SamplingParams], width: int = _FIRST_WIDTH
) -> torch.Tensor:
    """Draw after top-k, top-p and min-p, in this order (as transformers applies them).

    Only the ``width`` most likely tokens are sorted; rows that need more are drawn again with a wider cut.
    """
    width = min(width, logits.shape[-1])
    kept, order, complete = _cut(logits, sampling, width)
    tokens = order.gather(-1, _invert(kept, uniforms)[:, None])[:, 0]
    again = [row for row, whole in enumerate(complete.tolist()) if not whole]
    if again:
        wider = [sampling[row] for row in again]
        tokens[again] = _draw_cut(logits[again], uniforms[again], wider, width * _WIDENING)
    return tokens


def _cut(
    logits: torch.Tensor, sampling: Sequence[SamplingParams], width: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Probabilities of the ``width`` most likely tokens with the cut ones zeroed, and the tokens' ids.

    The last tensor says for each row whether ``width`` held every token that could survive.
    """
    vocabulary = logits.shape[-1]
    values, order = logits.topk(width, dim=-1)
    limits = _column([min(one.top_k or vocabulary, vocabulary) for one in sampling], logits)
    values = values.masked_fill(torch.arange(width, device=logits.device)[None] >= limits, float("-inf"))
    bounded = limits <= width
    total = torch.where(bounded, values.logsumexp(-1, keepdim=True), logits.logsumexp(-1, keepdim=True))
    probabilities = (values - total).exp()
    mass = probabilities.cumsum(-1, dtype=torch.float64)
    top_p = _column([one.top_p for one in sampling], mass)
    floor = _column([one.min_p for one in sampling], logits) * probabilities[:, :1]
    keep = (mass - probabilities < top_p) & (probabilities >= floor)
    keep[:, 0] = True
    # A row is whole when its top-k fits the width or, without top-k, when enough mass does.
    without_top_k = limits == vocabulary
    complete = bounded | (without_top_k & (mass[:, -1:] >= top_p)) | (width == vocabulary)
    return probabilities.masked_fill(~keep, 0.0), order, complete[:, 0]


def _invert(probabilities: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """The first index whose cumulative mass exceeds the uniform share of the total. Never one of mass 0."""
    cumulative = probabilities.cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    target = torch.minimum(uniforms[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target, right=True)[:, 0]


def _column(values: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None]
