"""OpenVINO's runtime for one-shot tasks: the default on a CPU.

Tokens come from ``podium.engine.tokenizer`` and masks from here, so that padding is ours: a batch is padded to
its longest sequence, rounded up to a multiple of 8, because the runtime compiles once for each new shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from podium.config.engine import OpenVINOEngine
from podium.core.errors import CheckpointInvalid, EngineError, MemoryBudgetExceeded
from podium.core.one_shot import Vectors
from podium.engine.adapters.openvino_settings import MODEL_FILE
from podium.engine.interface import EngineFacts, LoadContext
from podium.engine.one_shot import EmbeddingPlan, OneShotLoad
from podium.engine.pooling import normalized, pooled

SHAPE_TOKENS = 8
_HINTS = {"bf16": "bf16", "f16": "f16"}
_TOKEN_VECTOR_AXES = 3


class OpenVINOOneShot:
    """See the module's docstring; ``OneShotEngine`` of ``podium.engine.one_shot``."""

    def __init__(self, compiled: Any, facts: EngineFacts, plan: EmbeddingPlan) -> None:
        self.facts = facts
        self._plan = plan
        self._request: Any = compiled.create_infer_request()
        self._inputs = {port.any_name for port in compiled.inputs}
        self._output = _token_vectors(compiled)

    def compute(self, batch: Sequence[tuple[int, ...]]) -> Vectors:
        """Hidden states of the padded batch, pooled."""
        token_ids, mask = _padded(batch, self.facts.max_model_len)
        try:
            results = self._request.infer(_arguments(self._inputs, token_ids, mask), share_inputs=True)
        except RuntimeError as error:
            raise EngineError("OpenVINO could not compute this batch; the worker's log has the reason.") from error
        vectors = pooled(results[self._output], mask, self._plan.pooling)
        return normalized(vectors) if self._plan.normalize else vectors

    def close(self) -> None:
        """Drop the model, and its memory with it."""
        self._request = None
        self._output = None


def _padded(batch: Sequence[tuple[int, ...]], most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and mask, shape (sequences, tokens); what is not masked is 0, whatever the padding token."""
    longest = max(map(len, batch))
    width = max(longest, min(-(-longest // SHAPE_TOKENS) * SHAPE_TOKENS, most))
    token_ids = np.zeros((len(batch), width), dtype=np.int64)
    mask = np.zeros_like(token_ids)
    for row, sequence in enumerate(batch):
        token_ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return token_ids, mask


def _arguments(inputs: set[str], token_ids: NDArray[np.int64], mask: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    arguments = {"input_ids": token_ids, "attention_mask": mask}
    if "token_type_ids" in inputs:
        arguments["token_type_ids"] = np.zeros_like(token_ids)
    if "position_ids" in inputs:
        arguments["position_ids"] = np.maximum(mask.cumsum(axis=1) - 1, 0)
    return {name: value for name, value in arguments.items() if name in inputs}


def _token_vectors(compiled: Any) -> Any:
    """The output with one vector for each token. Raises ``CheckpointInvalid``."""
    for output in compiled.outputs:
        if len(output.partial_shape) == _TOKEN_VECTOR_AXES:
            return output
    raise CheckpointInvalid(
        "The IR has no output with a vector for each token; convert the checkpoint for feature extraction."
    )


def _properties(config: OpenVINOEngine) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        # ``auto`` is exact: what less precise arithmetic does to vectors has not been measured.
        "INFERENCE_PRECISION_HINT": _HINTS.get(config.precision, "f32"),
    }
    if config.precision != "int8" or not config.int8_activations:
        properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "0"
    if config.threads:
        properties["INFERENCE_NUM_THREADS"] = config.threads
    return properties


def load_one_shot(model_dir: Path, config: OpenVINOEngine, context: LoadContext, load: OneShotLoad) -> OpenVINOOneShot:
    """Load an IR folder. Raises ``CheckpointInvalid`` or ``MemoryBudgetExceeded``."""
    max_model_len = context.max_model_len or load.plan.max_model_len
    if not max_model_len:
        raise CheckpointInvalid("The checkpoint does not tell its context length: set models[].max_model_len.")
    context.report("compiling", -1)
    try:
        compiled = ov.Core().compile_model(model_dir / MODEL_FILE, "CPU", _properties(config))
    except MemoryError as error:
        raise MemoryBudgetExceeded("The model does not fit this machine's memory.") from error
    except RuntimeError as error:
        raise CheckpointInvalid("OpenVINO cannot read this IR: it is damaged or made by a newer version.") from error
    width = _token_vectors(compiled).partial_shape[_TOKEN_VECTOR_AXES - 1]
    if not width.is_static:
        raise CheckpointInvalid("The IR does not tell the length of its vectors; convert the checkpoint again.")
    facts = EngineFacts(
        engine="openvino",
        engine_version=ov.__version__,
        device="CPU",
        precision="f32" if config.precision == "auto" else config.precision,
        max_model_len=max_model_len,
        max_batch_sequences=load.limits.max_inputs,
        task="embed",
        dimensions=width.get_length(),
    )
    return OpenVINOOneShot(compiled, facts, load.plan)
