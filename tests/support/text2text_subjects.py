"""Encoder-decoders under test: a loaded engine for a checkpoint, and transformers' ``generate`` as the judge."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from podium.config.engine import TransformersEngine
from podium.config.models import Model
from podium.engine.adapters import table
from podium.engine.interface import Engine, LoadContext
from podium.models.text2text_plan import text2text_plan
from support.engine_subjects import EOS
from support.require import require


def load_text2text(folder: Path, **settings: Any) -> Engine:
    """The transformers engine for the checkpoint in ``folder``, at f32; ``settings`` of the model."""
    require("torch")
    plan = text2text_plan(Model(name="m", source=str(folder), **settings), folder)
    config = TransformersEngine(precision="f32", device="cpu", threads=1, max_batch_sequences=8)
    context = LoadContext(report=lambda _stage, _ratio: None, eos_token_ids=frozenset({EOS}))
    return table.load_text2text_adapter("transformers").load_text2text(folder, config, context, plan)


class Text2TextReference:
    """The same weights in plain torch, f32, one text at a time."""

    def __init__(self, folder: Path) -> None:
        import torch  # noqa: PLC0415
        import transformers  # noqa: PLC0415

        self._torch = torch
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()

    def greedy(self, prompt: tuple[int, ...], count: int, **members: Any) -> list[int]:
        """What ``model.generate`` answers, without the decoder's start; ``members`` of its configuration."""
        ids = self._torch.tensor([prompt])
        with self._torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = self._model.generate(
                ids,
                attention_mask=self._torch.ones_like(ids),
                **{"max_new_tokens": count, "do_sample": False, "num_beams": 1, **members},
            )
        answer: list[int] = out[0, 1:].tolist()
        return answer
