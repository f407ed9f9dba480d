"""The echo engine for one-shot tasks: no model, exact behaviour.

A vector counts pairs of neighbouring tokens, hashed into 64 numbers: equal inputs have equal vectors, inputs
that share words have similar ones. With ``faults: true`` an input may hold one fault word: ``fault:crash`` the
process ends; ``fault:hang`` the batch never returns; ``fault:error`` the batch fails; ``fault:slow`` it takes
one second longer; ``fault:nan`` its vector is not made of numbers.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from podium.config.engine import EchoEngine
from podium.core.errors import EngineError
from podium.core.one_shot import Vectors
from podium.engine.adapters.echo import CRASH_STATUS, EOS_ID, tokenizer
from podium.engine.interface import EngineFacts, LoadContext
from podium.engine.one_shot import OneShotLoad
from podium.engine.pooling import normalized

__all__ = ["load_one_shot", "tokenizer"]

DIMENSIONS = 64
_FAULT = re.compile(r"fault:(crash|hang|error|slow|nan)")


class EchoOneShot:
    """See the module's docstring; ``OneShotEngine`` of ``podium.engine.one_shot``."""

    def __init__(self, config: EchoEngine, context: LoadContext, load: OneShotLoad) -> None:
        self._config = config
        self._plan = load.plan
        self.facts = EngineFacts(
            engine="echo",
            engine_version=importlib.metadata.version("msgspec"),
            device="none",
            precision="exact",
            max_model_len=context.max_model_len or config.max_model_len,
            max_batch_sequences=load.limits.max_inputs,
            task="embed",
            dimensions=DIMENSIONS,
        )

    def compute(self, batch: Sequence[tuple[int, ...]]) -> Vectors:
        """Counts of token pairs, after the configured time."""
        if self._config.token_interval_seconds:
            time.sleep(self._config.token_interval_seconds)
        vectors = np.stack([self._vector(token_ids) for token_ids in batch])
        return normalized(vectors) if self._plan.normalize else vectors

    def close(self) -> None:
        """Nothing to free."""

    def _vector(self, token_ids: tuple[int, ...]) -> Vectors:
        vector = np.zeros(DIMENSIONS, dtype=np.float32)
        for first, second in zip((EOS_ID, *token_ids), token_ids, strict=False):
            vector[(31 * first + 7 * second) % DIMENSIONS] += 1.0
        return self._obey(token_ids, vector) if self._config.faults else vector

    def _obey(self, token_ids: tuple[int, ...], vector: Vectors) -> Vectors:
        text = bytes(token for token in token_ids if token < EOS_ID).decode("utf-8", "replace")
        found = _FAULT.search(text)
        match found[1] if found else "":
            case "crash":
                os._exit(CRASH_STATUS)
            case "hang":
                threading.Event().wait()
            case "error":
                raise EngineError("The echo engine was told to fail here.")
            case "slow":
                time.sleep(1.0)
            case "nan":
                return np.full_like(vector, np.nan)
        return vector


def load_one_shot(_model_dir: Path, config: EchoEngine, context: LoadContext, load: OneShotLoad) -> EchoOneShot:
    """Ready after ``load_seconds``."""
    if config.load_seconds:
        context.report("pretending to load", 0.0)
        time.sleep(config.load_seconds)
    return EchoOneShot(config, context, load)
