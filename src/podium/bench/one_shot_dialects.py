"""The APIs whose answer is whole: embeddings, rerank, and tensors of the Open Inference Protocol, version 2.

Nothing of them is streamed and nothing is generated, so they have no first token and no output tokens.
"""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec

from podium.bench.dialect import Ask, Dialect, Frame, error_words
from podium.bench.plan import Tensor


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Embeddings(msgspec.Struct):
    data: list[msgspec.Raw] = []
    usage: _Usage | None = None
    error: Any = None


class _Ranked(msgspec.Struct):
    results: list[msgspec.Raw] = []
    usage: _Usage | None = None
    error: Any = None


class _Inferred(msgspec.Struct):
    outputs: list[msgspec.Raw] = []
    error: Any = None


_embeddings = msgspec.json.Decoder(_Embeddings)
_ranked = msgspec.json.Decoder(_Ranked)
_inferred = msgspec.json.Decoder(_Inferred)


def _embeddings_body(ask: Ask, model: str) -> dict[str, Any]:
    return {"model": model, "input": [ask.text, *ask.more] if ask.more else ask.text, **ask.extra}


def _rerank_body(ask: Ask, model: str) -> dict[str, Any]:
    return {"model": model, "query": ask.text, "documents": ask.more or [ask.text], **ask.extra}


def _infer_body(ask: Ask, model: str) -> dict[str, Any]:  # noqa: ARG001 - the model is in the path
    texts = iter([ask.text, *ask.more])
    draw = random.Random(ask.text)  # noqa: S311 - a load, not a secret
    return {"inputs": [_tensor(tensor, texts, ask, draw) for tensor in ask.tensors], **ask.extra}


def _tensor(tensor: Tensor, texts: Any, ask: Ask, draw: random.Random) -> dict[str, Any]:
    """Texts for BYTES, one after the other; numbers in [0, 1) for the others, whole ones for whole types."""
    shape = [1 + len(ask.more) if size < 0 and at == 0 else max(1, size) for at, size in enumerate(tensor.shape)]
    count = math.prod(shape)
    data: list[Any]
    if tensor.datatype == "BYTES":
        data = [next(texts, ask.text) for _ in range(count)]
    elif tensor.datatype.startswith("FP"):
        data = [draw.random() for _ in range(count)]
    else:
        data = [draw.randrange(2) for _ in range(count)]
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": shape, "data": data}


def _embeddings_whole(data: bytes) -> Frame:
    found = _embeddings.decode(data)
    return _frame(found.error, found.data, "data", found.usage)


def _ranked_whole(data: bytes) -> Frame:
    found = _ranked.decode(data)
    return _frame(found.error, found.results, "results", found.usage)


def _inferred_whole(data: bytes) -> Frame:
    found = _inferred.decode(data)
    return _frame(found.error, found.outputs, "outputs", None)


def _frame(error: Any, items: list[msgspec.Raw], name: str, usage: _Usage | None) -> Frame:
    if error is not None:
        return Frame(error=error_words(error))
    if not items:
        raise ValueError(f"the answer has no `{name}`")
    return Frame(prompt_tokens=None if usage is None else usage.prompt_tokens or usage.total_tokens)


def _no_events(_name: bytes, _data: bytes) -> Frame:
    raise ValueError("this API does not stream")


def _one_shot(path: str, body: Any, whole: Any, *, tells_usage: bool = True) -> Dialect:
    return Dialect(
        path=path,
        body=body,
        read=_no_events,
        whole=whole,
        streams=False,
        generates=False,
        tells_usage=tells_usage,
    )


ONE_SHOT = {
    "embeddings": _one_shot("/v1/embeddings", _embeddings_body, _embeddings_whole),
    "rerank": _one_shot("/v1/rerank", _rerank_body, _ranked_whole, tells_usage=False),
    "infer": _one_shot("/v2/models/{model}/infer", _infer_body, _inferred_whole, tells_usage=False),
}
