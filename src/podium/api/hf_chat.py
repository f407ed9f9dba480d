"""``…/v1/chat/completions`` at a model's address: OpenAI's route, with the model that the address means."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read_object, with_body
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.hugging_face.address import model_at, name_of
from podium.api.openai.chat import STREAM, chat_completions
from podium.api.openapi import operation
from podium.core.errors import InvalidRequest
from podium.protocols.openai import ChatCompletionRequest
from podium.protocols.openai_answers import ChatCompletion

router = direct_router(tags=["Hugging Face"])
_ANY_MODEL = (None, "dummy", "tgi")
"""What InferenceClient and the examples of text-generation-inference send where the address is the model."""


@router.post(
    "/hf/{model_name:path}/v1/chat/completions",
    **operation(
        "Complete a chat",
        request=ChatCompletionRequest,
        answer=ChatCompletion,
        generates=True,
        stream=STREAM,
        example={"messages": [{"role": "user", "content": "Name three trees."}], "max_tokens": 40},
    ),
)
async def chat(request: Request, model_name: str) -> Response:
    """As ``/v1/chat/completions`` answers."""
    depth = backend_of(request).server.limits.json_depth
    body = await read_object(request, max_depth=depth)
    status = model_at(request, model_name)
    if body.get("model") not in (*_ANY_MODEL, model_name, status.name, name_of(status), *status.aliases):
        raise InvalidRequest("`model` is another than that of the address. Leave it out.", param="model")
    changed = {**body, "model": name_of(status)}
    if (schema := _schema(body.get("response_format"))) is not None:
        changed["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return await chat_completions(with_body(request, changed))


def _schema(response_format: Any) -> Any:
    """The schema of a format in the form of text-generation-inference, which InferenceClient writes."""
    return response_format.get("value") if isinstance(response_format, dict) else None
