"""Changes to the logits of one sequence before a token is drawn.

Order: repetition, frequency and presence penalties on the model's own logits, then the caller's bias,
then the constraint or the checkpoint's rules, then ``min_tokens``. So a bias of -100 bans whatever the
penalties say, and nothing leaves the grammar.
"""

from __future__ import annotations

import torch

from podium.engine.adapters.transformers_sequence import Running

_BANNED = float("-inf")


def is_adjusted(running: Running) -> bool:
    """Whether any rule here applies to the sequence's next token."""
    sampling = running.sampling
    return bool(
        sampling.repetition_penalty != 1.0
        or sampling.frequency_penalty
        or sampling.presence_penalty
        or sampling.logit_bias
        or running.matcher is not None
        or running.must_go_on
        or running.rules is not None
    )


def adjust(logits: torch.Tensor, running: Running) -> torch.Tensor:
    """Return new logits for the sequence: f32, shape (vocabulary,)."""
    row = logits.clone()
    _repetition(row, running)
    _frequency_and_presence(row, running)
    for token_id, bias in running.sampling.logit_bias.items():
        row[token_id] += bias
    if running.matcher is not None:
        row.masked_fill_(~running.matcher.allowed(row.shape[0]).to(row.device), _BANNED)
    if running.rules is not None:
        row = running.rules.apply(row, running.generated)
    if running.must_go_on:
        _ban_unless_only_choice(row, running.sequence.stop_token_ids)
    return row


def _repetition(row: torch.Tensor, running: Running) -> None:
    """Every token of prompt and output once: divide positive logits, multiply negative ones (CTRL, as in HF)."""
    penalty = running.sampling.repetition_penalty
    if penalty == 1.0:
        return
    seen = torch.tensor(sorted({*running.read_ids, *running.generated}), device=row.device)
    values = row[seen]
    row[seen] = torch.where(values > 0, values / penalty, values * penalty)


def _frequency_and_presence(row: torch.Tensor, running: Running) -> None:
    """Generated tokens only, as OpenAI defines them: minus frequency times count, minus presence once."""
    sampling = running.sampling
    if not running.counts or not (sampling.frequency_penalty or sampling.presence_penalty):
        return
    tokens = torch.tensor(list(running.counts), device=row.device)
    counts = torch.tensor(list(running.counts.values()), dtype=row.dtype, device=row.device)
    row[tokens] -= sampling.frequency_penalty * counts + sampling.presence_penalty


def _ban_unless_only_choice(row: torch.Tensor, stop_token_ids: frozenset[int]) -> None:
    """Ban stop tokens, except where the grammar allows nothing else."""
    stops = torch.tensor([token for token in stop_token_ids if token < row.shape[0]], dtype=torch.long)
    stops = stops.to(row.device)
    kept = row[stops].clone()
    row[stops] = _BANNED
    if torch.isneginf(row).all():
        row[stops] = kept
