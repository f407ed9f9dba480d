"""Which tensors a model takes and gives: one row for each task."""

from __future__ import annotations

from dataclasses import dataclass

from podium.api.served_models import ModelStatus
from podium.core.errors import ModelNotReady
from podium.protocols.inference import InferTensorMetadata

_FREE = -1


@dataclass(frozen=True)
class Signature:
    """Tensors in and out, in the order in which they are told."""

    inputs: tuple[InferTensorMetadata, ...]
    outputs: tuple[InferTensorMetadata, ...]


def _texts(name: str, *shape: int) -> InferTensorMetadata:
    return InferTensorMetadata(name, "BYTES", list(shape or (_FREE,)))


def _numbers(name: str, *shape: int) -> InferTensorMetadata:
    return InferTensorMetadata(name, "FP32", list(shape))


_WRITING = Signature((_texts("text_input"),), (_texts("text_output"),))
SIGNATURES: dict[str, Signature] = {
    "generate": _WRITING,
    "text2text_generation": _WRITING,
    "embed": Signature((_texts("text"),), (_numbers("embedding", _FREE, _FREE),)),
    "classify": Signature((_texts("text"),), (_texts("label"), _numbers("probabilities", _FREE, _FREE))),
    "token_classification": Signature((_texts("text"),), (_texts("entities"),)),
    "zero_shot": Signature(
        (_texts("text"), _texts("candidate_labels")), (_texts("label"), _numbers("scores", _FREE, _FREE))
    ),
    "fill_mask": Signature((_texts("text"),), (_texts("fillings"),)),
    "question_answering": Signature((_texts("question", 1), _texts("context", 1)), (_texts("answers"),)),
    "rerank": Signature((_texts("query", 1), _texts("documents")), (_numbers("score", _FREE),)),
}


def signature_of(status: ModelStatus) -> Signature:
    """The tensors of a model. Raises ModelNotReady while its task is unknown."""
    if status.task is None:
        raise ModelNotReady("The model's task is not known before it is loaded.", param="model")
    return SIGNATURES[status.task]
