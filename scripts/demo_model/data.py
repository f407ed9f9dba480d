"""Encode the corpus once and cut it into shuffled training windows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from chat import END
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BATCH = 512


def encode(corpus: Path, tokenizer_file: Path, kinds: frozenset[str]) -> np.ndarray:
    """Return the documents of ``kinds`` as one token stream, parted by the end token."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    end = tokenizer.token_to_id(END)
    with corpus.open(encoding="utf-8") as lines:
        rows = [row for line in lines if (row := json.loads(line))["kind"] in kinds]
    stream: list[np.ndarray] = []
    for at in range(0, len(rows), _BATCH):
        batch = [row["text"].removesuffix(END) for row in rows[at : at + _BATCH]]
        stream.extend(np.array([*encoding.ids, end], dtype=np.uint16) for encoding in tokenizer.encode_batch(batch))
    return np.concatenate(stream)


def encoded(build: Path, side: str) -> np.ndarray:
    """Return one side of the split as tokens, from the build folder's cache if there."""
    cache = build / f"{side}.npy"
    if not cache.exists():
        both = frozenset({"prose", "chat"})
        np.save(cache, encode(build / f"{side}.jsonl", build / "tokenizer/tokenizer.json", both))
    return np.load(cache)


def batches(tokens: np.ndarray, length: int, rows: int, seed: int) -> Iterator[np.ndarray]:
    """Yield ``(rows, length + 1)`` windows for ever, reshuffled and shifted every pass."""
    rng = np.random.default_rng(seed)
    while True:
        shift = int(rng.integers(length))
        starts = np.arange(shift, len(tokens) - length - 1, length)
        rng.shuffle(starts)
        for at in range(0, len(starts) - rows + 1, rows):
            windows = [tokens[start : start + length + 1] for start in starts[at : at + rows]]
            yield np.stack(windows).astype(np.int64)
