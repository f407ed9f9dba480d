"""``POST /v2/models/{model}/infer``: tensors in, tensors out, as JSON or as bytes after it."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from podium.api.direct_route import direct_router
from podium.api.inference.asked import Asked, parameters_of
from podium.api.inference.body import JSON_LENGTH, read_tensors
from podium.api.inference.computing import BY_TASK
from podium.api.inference.metadata import find
from podium.api.inference.signature import signature_of
from podium.api.inference.tensors import encoded, texts_in
from podium.api.json_answer import ignored_headers
from podium.api.openapi import operation
from podium.api.record import record_of
from podium.protocols.inference import InferAnswer, InferRequest

router = direct_router(tags=["Open Inference Protocol"])


@router.post(
    "/v2/models/{model_name:path}/infer",
    **operation(
        "Infer",
        request=InferRequest,
        answer=InferAnswer,
        reserves=True,
        example={
            "inputs": [{"name": "text_input", "shape": [1], "datatype": "BYTES", "data": ["The sea was"]}],
            "parameters": {"max_tokens": 20},
        },
    ),
)
async def infer(request: Request, model_name: str) -> Response:
    """All outputs, or an error. ``GET /v2/models/{model}`` names the tensors of a model."""
    body, raw = await read_tensors(request, InferRequest)
    headers = ignored_headers(request)
    status = find(request, model_name)
    texts = texts_in(body.inputs, raw, signature_of(status))
    asked = Asked(request, f"{status.name}@{status.version}", texts, parameters_of(body.parameters))
    tensors = await BY_TASK[status.task or ""](asked)
    all_binary = (body.parameters or {}).get("binary_data_output") is True
    outputs, binary = encoded(tensors, body.outputs, all_binary=all_binary)
    version = record_of(request.scope).version
    head = msgspec.json.encode(InferAnswer(status.name, version, outputs, body.id))
    if not binary:
        return Response(head, media_type="application/json", headers=headers)
    headers[JSON_LENGTH] = str(len(head))
    return Response(head + binary, media_type="application/octet-stream", headers=headers)
