"""OpenVINO's runtime for one-shot tasks: the default on a CPU.

Tokens come from ``podium.engine.tokenizer`` and masks from here, so that padding is ours: a batch is padded to
its longest sequence, rounded up to a multiple of 8, because the runtime compiles once for each new shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from podium.config.engine import OpenVINOEngine
from podium.core.errors import CheckpointInvalid, EngineError, MemoryBudgetExceeded
from podium.core.one_shot import InputIds, Vectors
from podium.engine.adapters.openvino_settings import MODEL_FILE
from podium.engine.interface import EngineFacts, LoadContext
from podium.engine.one_shot import (
    ClassificationPlan,
    EmbeddingPlan,
    FillMaskPlan,
    OneShotLoad,
    Plan,
    TokenPlan,
    facts_of,
)
from podium.engine.pooling import likeliest, normalized, pooled, real_rows

SHAPE_TOKENS = 8
PASS_TOKENS = 16  # a pass costs as much as so many tokens: decision 61
MOST_LOGITS = 64 * 1024**2  # numbers of one pass over a vocabulary: 256 MiB
_HINTS = {"bf16": "bf16", "f16": "f16"}
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class _Batch:
    """Shape (sequences, tokens) each; ``mask`` is 0 for padding, ``segments`` 1 for the second text of a pair."""

    token_ids: Integers
    mask: Integers
    segments: Integers


@dataclass(frozen=True)
class _Head:
    """What becomes of the graph's ``outputs``: ``finish`` takes their values and the batch.

    ``most_tokens``: of a batch that is computed in one pass, padding included; 0 is no bound.
    """

    outputs: tuple[Any, ...]
    width: int
    finish: Callable[[list[NDArray[Any]], _Batch], Vectors]
    most_tokens: int = 0


class OpenVINOOneShot:
    """See the module's docstring; ``OneShotEngine`` of ``podium.engine.one_shot``."""

    def __init__(self, compiled: Any, facts: EngineFacts, head: _Head) -> None:
        self.facts = facts
        self._request: Any = compiled.create_infer_request()
        self._inputs = {port.any_name for port in compiled.inputs}
        self._head: _Head | None = head

    def compute(self, batch: Sequence[InputIds]) -> Vectors:
        """The model's output for the padded batch, pooled where one vector stands for several tokens."""
        head = self._head
        assert head is not None, "this is a bug: the engine is closed"  # noqa: S101
        longest = max(len(ids.token_ids) for ids in batch)
        most = max(1, head.most_tokens // longest) if head.most_tokens else len(batch)
        parts = [self._pass(head, batch[start : start + most]) for start in range(0, len(batch), most)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _pass(self, head: _Head, batch: Sequence[InputIds]) -> Vectors:
        padded = _padded(batch, self.facts.max_model_len)
        try:
            results = self._request.infer(_arguments(self._inputs, padded), share_inputs=True)
        except RuntimeError as error:
            raise EngineError("OpenVINO could not compute this batch; the worker's log has the reason.") from error
        return head.finish([results[output] for output in head.outputs], padded)

    def close(self) -> None:
        """Drop the model, and its memory with it."""
        self._request = None
        self._head = None


def _padded(batch: Sequence[InputIds], most: int) -> _Batch:
    """What is masked is 0, whatever the padding token."""
    longest = max(len(ids.token_ids) for ids in batch)
    width = max(longest, min(-(-longest // SHAPE_TOKENS) * SHAPE_TOKENS, most))
    token_ids, mask, segments = (np.zeros((len(batch), width), dtype=np.int64) for _ in range(3))
    for row, ids in enumerate(batch):
        length = len(ids.token_ids)
        token_ids[row, :length] = ids.token_ids
        mask[row, :length] = 1
        if ids.second_from:
            segments[row, ids.second_from : length] = 1
    return _Batch(token_ids, mask, segments)


def _arguments(inputs: set[str], batch: _Batch) -> dict[str, Integers]:
    arguments = {"input_ids": batch.token_ids, "attention_mask": batch.mask, "token_type_ids": batch.segments}
    if "position_ids" in inputs:
        arguments["position_ids"] = np.maximum(batch.mask.cumsum(axis=1) - 1, 0)
    return {name: value for name, value in arguments.items() if name in inputs}


def _head(compiled: Any, plan: Plan) -> _Head:
    """The output that the plan is about. Raises ``CheckpointInvalid`` when the IR was made for something else."""
    match plan:
        case EmbeddingPlan():
            return _embedding(compiled, plan)
        case FillMaskPlan():
            return _fillings(compiled, plan)
        case TokenPlan(task="question_answering"):
            return _answers(compiled)
        case TokenPlan(labels=labels):
            output, width = _output(compiled, axes=3, wanted="numbers for each token", export="token classification")
            _check_labels(width, labels)
            return _Head((output,), width, lambda found, batch: real_rows(found[0], batch.mask))
        case ClassificationPlan(labels=labels):
            output, width = _output(compiled, axes=2, wanted="a number for each label", export="text classification")
            _check_labels(width, labels)
            return _Head((output,), width, lambda found, _batch: np.array(found[0], dtype=np.float32))


def _embedding(compiled: Any, plan: EmbeddingPlan) -> _Head:
    output, width = _output(compiled, axes=3, wanted="a vector for each token", export="feature extraction")

    def finish(found: list[NDArray[Any]], batch: _Batch) -> Vectors:
        vectors = pooled(found[0], batch.mask, plan.pooling)
        return normalized(vectors) if plan.normalize else vectors

    return _Head((output,), width, finish)


def _fillings(compiled: Any, plan: FillMaskPlan) -> _Head:
    output, width = _output(compiled, axes=3, wanted="a number for each token of the vocabulary", export="fill mask")
    if width < plan.most:
        raise CheckpointInvalid("The IR's vocabulary is smaller than the tokenizer's; convert the checkpoint again.")

    def finish(found: list[NDArray[Any]], batch: _Batch) -> Vectors:
        masked = (batch.token_ids == plan.mask_token_id) & (batch.mask == 1)
        return likeliest(found[0][masked], plan.most)

    return _Head((output,), width, finish, most_tokens=max(1, MOST_LOGITS // width))


def _answers(compiled: Any) -> _Head:
    """One output for where answers begin, and one for where they end."""
    by_name = {name: output for output in compiled.outputs for name in output.names}
    try:
        outputs = by_name["start_logits"], by_name["end_logits"]
    except KeyError:
        raise CheckpointInvalid(
            "The IR does not tell where answers begin and end; convert the checkpoint again, for question answering."
        ) from None
    return _Head(outputs, 2, lambda found, batch: real_rows(np.stack(found, axis=-1), batch.mask))


def _check_labels(width: int, labels: tuple[str, ...]) -> None:
    if width != len(labels):
        raise CheckpointInvalid(
            f"The IR has {width} numbers for an input and config.json names {len(labels)} labels; mend id2label."
        )


def _output(compiled: Any, *, axes: int, wanted: str, export: str) -> tuple[Any, int]:
    """The first output with so many axes, and the length of its last one."""
    for output in compiled.outputs:
        if len(output.partial_shape) == axes:
            width = output.partial_shape[axes - 1]
            if width.is_static:
                return output, width.get_length()
    raise CheckpointInvalid(f"The IR has no output with {wanted}; convert the checkpoint again, for {export}.")


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
    head = _head(compiled, load.plan)
    facts = EngineFacts(
        engine="openvino",
        engine_version=ov.__version__,
        device="CPU",
        precision="f32" if config.precision == "auto" else config.precision,
        max_model_len=max_model_len,
        max_batch_sequences=load.limits.max_inputs,
        padding_tokens=PASS_TOKENS,
        **facts_of(load.plan, head.width),
    )
    return OpenVINOOneShot(compiled, facts, head)
