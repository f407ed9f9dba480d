"""Train the demo model on a CPU within a time budget.

Usage: ``python train.py --build BUILD --minutes 40``.  The learning rate follows a
cosine of the share of the time budget spent, so that the run ends properly on
a machine of any speed.  A first stage uses short windows, which are faster, and
the last stage the full context.  Checkpoints go to ``BUILD/checkpoint.pt`` (the
latest) and ``BUILD/best.pt`` (lowest held-out loss), the log to ``training.json``;
``--resume`` goes on from the latest checkpoint within the same time budget.

On a machine that runs other things too, set ``OMP_WAIT_POLICY=passive``: threads that
spin while they wait for each other take the processor from the one that works.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from data import batches, encoded
from transformers import LlamaConfig, LlamaForCausalLM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTEXT = 512
END_ID = 0


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of a run; everything that is needed to repeat it."""

    minutes: float
    seed: int = 1234
    short_length: int = 256
    short_rows: int = 16
    long_rows: int = 8
    long_stage_from: float = 0.80
    learning_rate: float = 2e-3
    final_learning_rate: float = 5e-5
    warm_up_steps: int = 150
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    evaluate_every_s: float = 120.0
    evaluation_windows: int = 64


@dataclass
class Progress:
    """The state of a run in figures."""

    started: float = field(default_factory=time.monotonic)
    steps: int = 0
    tokens: int = 0
    best: float = math.inf
    train_loss: float = math.nan
    resumed_at: list[int] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started


def model_config() -> LlamaConfig:
    """Return the architecture of the demo model."""
    return LlamaConfig(
        vocab_size=4096,
        hidden_size=320,
        intermediate_size=864,
        num_hidden_layers=6,
        num_attention_heads=5,
        num_key_value_heads=5,
        head_dim=64,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=END_ID,
        eos_token_id=END_ID,
        pad_token_id=END_ID,
        attn_implementation="sdpa",
    )


def optimiser(model: LlamaForCausalLM, settings: Settings) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices only."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)


def learning_rate(settings: Settings, step: int, spent: float) -> float:
    """Return the rate for a step since the start or resumption, given the share of the budget spent."""
    low, high = settings.final_learning_rate, settings.learning_rate
    cosine = low + (high - low) * 0.5 * (1 + math.cos(math.pi * min(spent, 1.0)))
    return cosine * min(1.0, (step + 1) / settings.warm_up_steps)


def loss_function(model: LlamaForCausalLM) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the compiled mean loss of a batch of windows under bf16 autocast."""

    def loss(window: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(input_ids=window[:, :-1], use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), window[:, 1:].flatten())

    return torch.compile(loss)


@torch.no_grad()
def held_out_loss(model: LlamaForCausalLM, tokens: np.ndarray, windows: int) -> float:
    """Return the f32 mean loss over evenly spaced windows of the held-out side."""
    starts = np.linspace(0, len(tokens) - CONTEXT - 2, windows).astype(int)
    total = 0.0
    for start in starts:
        window = torch.from_numpy(tokens[start : start + CONTEXT + 1].astype(np.int64))[None]
        logits = model(input_ids=window[:, :-1], use_cache=False).logits
        total += float(torch.nn.functional.cross_entropy(logits[0], window[0, 1:]))
    return total / windows


class Run:
    """One training run: its model, data, optimiser and log."""

    def __init__(self, build: Path, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.build = build
        self.settings = settings
        self.progress = Progress()
        self.model = LlamaForCausalLM(model_config())
        self.optimiser = optimiser(self.model, settings)
        self.loss = loss_function(self.model)
        self.train_tokens = encoded(build, "train")
        self.held_out = encoded(build, "heldout")
        self._evaluated = 0.0
        self._first_step = 0

    def resume(self) -> None:
        """Go on from the latest checkpoint, with its share of the time budget spent."""
        state = torch.load(self.build / "checkpoint.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(**state["progress"])
        last = self.progress.history[-1]
        self.progress.started = time.monotonic() - last["seconds"]
        self.progress.resumed_at.append(self.progress.steps)
        self._evaluated = last["seconds"]
        self._first_step = self.progress.steps

    def spent(self) -> float:
        """Return the share of the time budget that has gone."""
        return self.progress.seconds() / (60 * self.settings.minutes)

    def step(self, window: np.ndarray) -> None:
        """Take one optimiser step on a batch of windows."""
        since = self.progress.steps - self._first_step
        rate = learning_rate(self.settings, since, self.spent())
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = self.loss(torch.from_numpy(window))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        value = loss.item()
        last = self.progress.train_loss
        self.progress.train_loss = value if math.isnan(last) else 0.98 * last + 0.02 * value
        self.progress.steps += 1
        self.progress.tokens += window[:, 1:].size

    def evaluate(self) -> None:
        """Measure the held-out loss, log it and write the checkpoints."""
        self._evaluated = self.progress.seconds()
        loss = held_out_loss(self.model, self.held_out, self.settings.evaluation_windows)
        row = {
            "seconds": round(self._evaluated, 1),
            "steps": self.progress.steps,
            "tokens": self.progress.tokens,
            "held_out_loss": round(loss, 4),
            "train_loss": round(self.progress.train_loss, 4),
        }
        self.progress.history.append(row)
        print(json.dumps(row), flush=True)
        better = loss < self.progress.best
        self.progress.best = min(loss, self.progress.best)
        self._save("checkpoint.pt")
        if better:
            self._save("best.pt")
        self._write_log()

    def _save(self, name: str) -> None:
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        partial = self.build / f"{name}.partial"
        torch.save(state, partial)
        partial.replace(self.build / name)

    def _write_log(self) -> None:
        log = {
            "settings": asdict(self.settings),
            "architecture": {
                k: v for k, v in self.model.config.to_diff_dict().items() if isinstance(v, int | float | str | bool)
            },
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "corpus_tokens": len(self.train_tokens),
            "held_out_tokens": len(self.held_out),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "resumed_at_steps": self.progress.resumed_at,
            "history": self.progress.history,
        }
        (self.build / "training.json").write_text(json.dumps(log, indent=1) + "\n")

    def _stage(self, source: Iterator[np.ndarray], until: float) -> None:
        for window in source:
            self.step(window)
            if self.progress.seconds() - self._evaluated > self.settings.evaluate_every_s:
                self.evaluate()
            if self.spent() >= until:
                return

    def train(self) -> None:
        """Run both stages to the end of the time budget."""
        s = self.settings
        seed = s.seed + self._first_step  # a resumed run must not see the same windows again
        self._stage(batches(self.train_tokens, s.short_length, s.short_rows, seed), s.long_stage_from)
        self._stage(batches(self.train_tokens, CONTEXT, s.long_rows, seed + 1), 1.0)
        self.evaluate()


def main() -> None:
    """Train within the time budget given on the command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", type=Path, required=True)
    arguments.add_argument("--minutes", type=float, default=40.0)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--resume", action="store_true")
    parsed = arguments.parse_args()
    torch.set_num_threads(parsed.threads)
    run = Run(parsed.build, Settings(minutes=parsed.minutes))
    if parsed.resume:
        run.resume()
    run.train()


if __name__ == "__main__":
    main()
