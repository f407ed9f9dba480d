"""The OpenAPI description: what each route says of itself, and the schemas they refer to."""

from __future__ import annotations

from typing import Any, get_origin

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from podium.api.errors import speaks_openai
from podium.protocols import native, openai, openai_answers
from podium.protocols.wire import WireModel

_REFERENCE = "#/components/schemas/"
_ERRORS = {
    400: "The request can never succeed as sent; `param` names the member at fault.",
    401: "No valid key.",
    404: "No such model or route.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    500: "The engine or the server failed.",
    503: "Overloaded, loading, restarting or draining; `Retry-After` says when to come back.",
    504: "The request's deadline passed.",
}
_NATIVE_ERROR, _OPENAI_ERROR = "Error", "OpenAIError"
_REQUESTS: tuple[type[WireModel], ...] = (
    openai.ChatCompletionRequest,
    openai.CompletionRequest,
    openai.TokenizeRequest,
    openai.DetokenizeRequest,
    native.GenerateRequest,
    native.BatchGenerateRequest,
    native.LoadRequest,
    native.UnloadRequest,
)
_ANSWERS = (
    openai_answers.ChatCompletion,
    openai_answers.Completion,
    openai_answers.ModelCard,
    openai_answers.ModelList,
    openai_answers.TokenizeAnswer,
    openai_answers.DetokenizeAnswer,
    openai_answers.TokenizerInfo,
    native.GenerateAnswer,
    native.BatchAnswer,
    native.ModelsAnswer,
    native.LoadAnswer,
    native.UnloadAnswer,
    native.HealthAnswer,
    native.VersionAnswer,
)
TIMEOUT_PARAMETER = {
    "name": "x-podium-timeout-seconds",
    "in": "header",
    "required": False,
    "description": "Deadline of the request in seconds.",
    "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": 86400},
}


def operation(  # noqa: PLR0913 - what a route says of itself, all by name
    summary: str,
    *,
    answer: Any,
    request: type[WireModel] | None = None,
    stream: str | None = None,
    example: dict[str, Any] | None = None,
    body_required: bool = True,
    query: dict[str, str] | None = None,
    media_type: str = "application/json",
) -> dict[str, Any]:
    """Arguments for a route's decorator that describe it.

    ``answer`` is the type of the 200 body, ``stream`` describes the events when the route can stream,
    ``query`` maps optional query parameters to their descriptions.
    """
    content: dict[str, Any] = {media_type: {"schema": _schema_of(answer)}}
    if stream:
        content["text/event-stream"] = {"schema": {"type": "string", "description": stream}}
    extra: dict[str, Any] = {"parameters": [_query_parameter(name, text) for name, text in (query or {}).items()]}
    if request is not None:
        media = {"schema": {"$ref": _REFERENCE + request.__name__}, "example": example}
        extra["requestBody"] = {"required": body_required, "content": {"application/json": media}}
        extra["parameters"].append(TIMEOUT_PARAMETER)
    return {
        "summary": summary,
        "response_model": None,
        "responses": {200: {"description": "Success.", "content": content}},
        "openapi_extra": extra,
    }


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole description: routes, schemas, error answers and path parameters."""
    description = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    description["components"] = {"schemas": _component_schemas()}
    for path, item in description["paths"].items():
        for entry in item.values():
            _add_errors(path, entry)
    return description


def _query_parameter(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}


def _add_errors(path: str, entry: dict[str, Any]) -> None:
    name = _OPENAI_ERROR if speaks_openai(path) else _NATIVE_ERROR
    content = {"application/json": {"schema": {"$ref": _REFERENCE + name}}}
    for status, text in _ERRORS.items():
        entry["responses"].setdefault(str(status), {"description": text, "content": content})
    entry["responses"].pop("422", None)


def _schema_of(answer: Any) -> dict[str, Any]:
    if answer is str:
        return {"type": "string"}
    if get_origin(answer) is dict:
        return {"type": "object"}
    return {"$ref": _REFERENCE + answer.__name__}


def _component_schemas() -> dict[str, Any]:
    _, requests = models_json_schema([(kind, "validation") for kind in _REQUESTS], ref_template=_REFERENCE + "{model}")
    template = _REFERENCE + "{name}"
    _, answers = msgspec.json.schema_components(_ANSWERS, ref_template=template)
    (_,), openai_error = msgspec.json.schema_components([openai_answers.ErrorBody], ref_template=template)
    (_,), native_error = msgspec.json.schema_components([native.ErrorBody], ref_template=template)
    return {
        **requests["$defs"],
        **answers,
        _OPENAI_ERROR: {"type": "object", "required": ["error"], "properties": {"error": openai_error["ErrorBody"]}},
        _NATIVE_ERROR: {"type": "object", "required": ["error"], "properties": {"error": native_error["ErrorBody"]}},
    }
