"""The echo engine for one-shot tasks: no model, exact behaviour.

An embedding counts pairs of neighbouring tokens, hashed into 64 numbers: equal inputs have equal vectors, inputs
that share words have similar ones. A classifier's number for label k counts the tokens that leave remainder k when they
are divided by the number of labels. The relevance of a pair is 10 times the cosine of its texts' embeddings, less 5,
and so is the last label's number of a zero-shot classifier, whose others are 0. A token's number for label k is 5 if it
leaves remainder k, else 0. Answers begin with upper case letters and end with full stops. A mask is ``_``; its best
filling is the token before it, and the more a token differs from that one, the worse it fits.

With ``faults: true`` an input may hold one fault word: ``fault:crash`` the process ends; ``fault:hang`` the batch
never returns; ``fault:error`` the batch fails; ``fault:slow`` it takes one second longer; ``fault:nan`` its vector is
not made of numbers.
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
from podium.core.one_shot import InputIds, Vectors
from podium.engine.adapters.echo import CRASH_STATUS, EOS_ID, tokenizer
from podium.engine.interface import EngineFacts, LoadContext
from podium.engine.one_shot import ClassificationPlan, EmbeddingPlan, FillMaskPlan, OneShotLoad, TokenPlan, facts_of
from podium.engine.pooling import likeliest, normalized

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
            **facts_of(load.plan, DIMENSIONS),
        )

    def compute(self, batch: Sequence[InputIds]) -> Vectors:
        """Counts, after the configured time."""
        if self._config.token_interval_seconds:
            time.sleep(self._config.token_interval_seconds)
        return np.concatenate([self._obey(ids, self._rows(ids)) for ids in batch])

    def close(self) -> None:
        """Nothing to free."""

    def _rows(self, ids: InputIds) -> Vectors:
        tokens = np.array(ids.token_ids)
        match self._plan:
            case EmbeddingPlan(normalize=normalize):
                vector = _pair_counts(ids.token_ids)[np.newaxis]
                return normalized(vector) if normalize else vector
            case ClassificationPlan(task="classify", labels=labels):
                counts = np.bincount(tokens % len(labels), minlength=len(labels))
                return np.array([counts], dtype=np.float32)
            case ClassificationPlan(labels=labels):
                texts = ids.token_ids[: ids.second_from], ids.token_ids[ids.second_from :]
                first, second = normalized(np.stack([_pair_counts(text) for text in texts]))
                others = [0.0] * (len(labels) - 1)
                return np.array([[*others, 10.0 * first @ second - 5.0]], dtype=np.float32)
            case TokenPlan(task="question_answering"):
                edges = np.stack([(tokens >= ord("A")) & (tokens <= ord("Z")), tokens == ord(".")], axis=1)
                return np.where(edges, 5.0, 0.0).astype(np.float32)
            case TokenPlan(labels=labels):
                return np.where(tokens[:, np.newaxis] % len(labels) == np.arange(len(labels)), 5.0, 0.0).astype(
                    np.float32
                )
            case FillMaskPlan(mask_token_id=mask_token_id, most=most):
                before = np.concatenate([[EOS_ID], tokens])[:-1][tokens == mask_token_id]
                return likeliest(-np.abs(np.arange(EOS_ID) - before[:, np.newaxis]), most)

    def _obey(self, ids: InputIds, vector: Vectors) -> Vectors:
        if not self._config.faults:
            return vector
        text = bytes(token for token in ids.token_ids if token < EOS_ID).decode("utf-8", "replace")
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


def _pair_counts(token_ids: tuple[int, ...]) -> Vectors:
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for first, second in zip((EOS_ID, *token_ids), token_ids, strict=False):
        vector[(31 * first + 7 * second) % DIMENSIONS] += 1.0
    return vector


def load_one_shot(_model_dir: Path, config: EchoEngine, context: LoadContext, load: OneShotLoad) -> EchoOneShot:
    """Ready after ``load_seconds``."""
    if config.load_seconds:
        context.report("pretending to load", 0.0)
        time.sleep(config.load_seconds)
    return EchoOneShot(config, context, load)
