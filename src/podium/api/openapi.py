"""The OpenAPI description: what each route says of itself, and the schemas they refer to."""

from __future__ import annotations

from typing import Any, get_args, get_origin

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from podium.api.errors import Dialect, dialect_of
from podium.protocols import (
    anthropic,
    batches,
    cloud,
    hugging_face,
    inference,
    native,
    native_use,
    ollama,
    openai,
    openai_answers,
    recent_requests,
    responses,
    tasks,
    text_embeddings_inference,
    text_generation_inference,
    text_tasks,
)
from podium.protocols.wire import WireModel

_REFERENCE = "#/components/schemas/"
_ERRORS = {
    400: "The request can never succeed as sent; `param` names the member at fault.",
    401: "No valid key.",
    403: "The key may not do this.",
    404: "No such model or route.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    500: "The engine or the server failed.",
    503: "Overloaded, loading, restarting or draining; `Retry-After` says when to come back.",
    504: "The request's deadline passed.",
}
_POLICY_EXAMPLE = '"key-requests-per-minute";q=60;w=60, "key-tokens-per-day";q=100000;qu="tokens";w=86400'
_LIMIT_EXAMPLE = '"key-requests-per-minute";r=59;t=60, "key-tokens-per-day";r=98000;t=86400'
_ERROR_NAMES: dict[Dialect, str] = {
    "native": "Error",
    "openai": "OpenAIError",
    "anthropic": "AnthropicError",
    "ollama": "OllamaError",
    "inference": "InferenceError",
    "hugging_face": "HuggingFaceError",
}
_REQUESTS: tuple[type[WireModel], ...] = (
    openai.ChatCompletionRequest,
    openai.CompletionRequest,
    openai.EmbeddingsRequest,
    responses.ResponsesRequest,
    batches.BatchCreateRequest,
    tasks.RerankRequest,
    tasks.ClassifyRequest,
    text_tasks.TokenClassificationRequest,
    text_tasks.ZeroShotRequest,
    text_tasks.FillMaskRequest,
    text_tasks.QuestionAnsweringRequest,
    anthropic.MessagesRequest,
    anthropic.CountTokensRequest,
    ollama.OllamaGenerateRequest,
    ollama.OllamaChatRequest,
    ollama.OllamaEmbedRequest,
    ollama.OllamaShowRequest,
    hugging_face.HfTaskRequest,
    text_generation_inference.HfGenerateRequest,
    text_embeddings_inference.HfEmbedRequest,
    text_embeddings_inference.HfSimilarityRequest,
    text_embeddings_inference.HfRerankRequest,
    text_embeddings_inference.HfPredictRequest,
    cloud.InvocationRequest,
    cloud.PredictRequest,
    inference.InferRequest,
    inference.InferGenerateRequest,
    inference.RepositoryIndexRequest,
    inference.RepositoryRequest,
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
    openai_answers.EmbeddingList,
    responses.ResponseObject,
    batches.FileObject,
    batches.FileList,
    batches.FileDeleted,
    batches.BatchObject,
    batches.BatchObjectList,
    tasks.RerankAnswer,
    tasks.ClassifyAnswer,
    text_tasks.TokenClassificationAnswer,
    text_tasks.ZeroShotAnswer,
    text_tasks.FillMaskAnswer,
    text_tasks.QuestionAnsweringAnswer,
    anthropic.MessageAnswer,
    anthropic.TokenCount,
    ollama.OllamaLine,
    ollama.OllamaEmbedding,
    ollama.OllamaModels,
    ollama.OllamaModel,
    ollama.OllamaVersion,
    text_generation_inference.HfGenerated,
    text_generation_inference.HfStreamed,
    text_embeddings_inference.HfRank,
    text_embeddings_inference.HfPrediction,
    hugging_face.HfInfo,
    cloud.PredictAnswer,
    inference.InferServerMetadata,
    inference.InferModelMetadata,
    inference.InferState,
    inference.InferAnswer,
    inference.InferGenerated,
    inference.InferModelState,
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
    native_use.UsageAnswer,
    native_use.CacheStats,
    native_use.CacheCleared,
    recent_requests.RecentRequestsAnswer,
)
TIMEOUT_PARAMETER = {
    "name": "x-podium-timeout-seconds",
    "in": "header",
    "required": False,
    "description": "Deadline of the request in seconds.",
    "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": 86400},
}
_GENERATING_PARAMETERS = (
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A retry with the same key and body joins the running generation, or gets its kept answer.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    },
    {
        "name": "Cache-Control",
        "in": "header",
        "required": False,
        "description": "`no-cache` computes anew, `no-store` keeps nothing, `max-age=N` takes no answer older than N "
        "seconds; see also the member `cache`.",
        "schema": {"type": "string"},
        "example": "max-age=60",
    },
)
_GENERATING_ERRORS = {
    409: "A request with the same `Idempotency-Key` is still running elsewhere.",
    422: "The `Idempotency-Key` was used before, with another request.",
    429: "A quota leaves no room. `rate_limit_exceeded`: `Retry-After` says when it will. `insufficient_quota`: no "
    "wait of a minute helps.",
}
_RESERVING_ERRORS = {429: _GENERATING_ERRORS[429]}
_QUOTA_HEADERS = {
    "x-ratelimit-remaining-requests": ("What is left of the tightest quota of requests; also -tokens.", "59"),
    "x-ratelimit-limit-requests": ("That quota; also -tokens.", "60"),
    "x-ratelimit-reset-requests": ("When all of it is free again if nothing else comes; also -tokens.", "1m0s"),
    "RateLimit-Policy": ("The caller's quotas (draft-ietf-httpapi-ratelimit-headers-10).", _POLICY_EXAMPLE),
    "RateLimit": ("What is left of them.", _LIMIT_EXAMPLE),
}
_ANSWER_HEADERS = {
    "x-podium-cache": (
        "What the response cache did: `hit`, `semantic` (kept, to a similar question), `attach`, `miss` or `bypass`.",
        "hit",
    ),
    "x-podium-cache-similarity": ("With `semantic`: cosine of the two questions' embeddings.", "0.9712"),
    "age": ("How many seconds ago a kept answer was computed.", "12"),
    **_QUOTA_HEADERS,
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
    answer_example: dict[str, Any] | None = None,
    generates: bool = False,
    reserves: bool = False,
) -> dict[str, Any]:
    """Arguments for a route's decorator that describe it.

    ``answer`` is the type of the 200 body, ``stream`` describes the events when the route can stream,
    ``query`` maps optional query parameters to their descriptions. ``generates``: quotas, the response cache
    and idempotency keys take part. ``reserves``: quotas alone do.
    """
    content: dict[str, Any] = {media_type: {"schema": _schema_of(answer)}}
    if answer_example is not None:
        content[media_type]["example"] = answer_example
    if stream:
        content["text/event-stream"] = {"schema": {"type": "string", "description": stream}}
    extra: dict[str, Any] = {"parameters": [_query_parameter(name, text) for name, text in (query or {}).items()]}
    if request is not None:
        media = {"schema": {"$ref": _REFERENCE + request.__name__}, "example": example}
        extra["requestBody"] = {"required": body_required, "content": {"application/json": media}}
        extra["parameters"].append(TIMEOUT_PARAMETER)
    responses: dict[int, dict[str, Any]] = {200: {"description": "Success.", "content": content}}
    if generates:
        extra["parameters"] += _GENERATING_PARAMETERS
        responses[200]["headers"] = _described(_ANSWER_HEADERS)
        responses |= {status: {"description": text} for status, text in _GENERATING_ERRORS.items()}
    if reserves:
        responses[200]["headers"] = _described(_QUOTA_HEADERS)
        responses |= {status: {"description": text} for status, text in _RESERVING_ERRORS.items()}
    if 429 in responses:
        responses[429]["headers"] = _described(_QUOTA_HEADERS)
    return {"summary": summary, "response_model": None, "responses": responses, "openapi_extra": extra}


def form_operation(summary: str, *, answer: Any) -> dict[str, Any]:
    """``operation`` for the route that takes a form with a file."""
    found = operation(summary, answer=answer)
    members = {
        "file": {"type": "string", "format": "binary", "description": "JSON lines, with a filename."},
        "purpose": {"type": "string", "enum": ["batch"], "description": "What it is for."},
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {"type": "integer", "minimum": 3600, "maximum": 2_592_000},
    }
    schema = {"type": "object", "required": ["file", "purpose"], "properties": members}
    found["openapi_extra"]["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    return found


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole description: routes, schemas, error answers and path parameters."""
    description = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    description["components"] = {"schemas": _component_schemas()}
    for path, item in description["paths"].items():
        for entry in item.values():
            _add_errors(path, entry)
    return description


def _described(headers: dict[str, tuple[str, str]]) -> dict[str, Any]:
    return {
        name: {"description": text, "schema": {"type": "string"}, "example": example}
        for name, (text, example) in headers.items()
    }


def _query_parameter(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}


def _add_errors(path: str, entry: dict[str, Any]) -> None:
    name = _ERROR_NAMES[dialect_of(path)]
    content = {"application/json": {"schema": {"$ref": _REFERENCE + name}}}
    responses = entry["responses"]
    if "content" in responses.get("422", {}):  # the framework's own, which never happens here
        del responses["422"]
    for status, text in _ERRORS.items():
        responses.setdefault(str(status), {"description": text})
    for status, response in responses.items():
        if status != "200":
            response["content"] = content


_PLAIN: dict[Any, str] = {str: "string", float: "number", Any: ""}


def _schema_of(answer: Any) -> dict[str, Any]:
    if answer in _PLAIN:
        return {"type": _PLAIN[answer]} if answer is not Any else {}
    if get_origin(answer) is dict:
        return {"type": "object"}
    if get_origin(answer) is list:
        return {"type": "array", "items": _schema_of(get_args(answer)[0])}
    return {"$ref": _REFERENCE + answer.__name__}


def _component_schemas() -> dict[str, Any]:
    _, requests = models_json_schema([(kind, "validation") for kind in _REQUESTS], ref_template=_REFERENCE + "{model}")
    template = _REFERENCE + "{name}"
    _, answers = msgspec.json.schema_components(_ANSWERS, ref_template=template)
    (_,), openai_error = msgspec.json.schema_components([openai_answers.ErrorBody], ref_template=template)
    (_,), native_error = msgspec.json.schema_components([native.ErrorBody], ref_template=template)
    (_,), anthropic_error = msgspec.json.schema_components([anthropic.ErrorBody], ref_template=template)
    (_,), hf_error = msgspec.json.schema_components([hugging_face.HfError], ref_template=template)
    return {
        **requests["$defs"],
        **answers,
        _ERROR_NAMES["openai"]: _wrapped(openai_error["ErrorBody"]),
        _ERROR_NAMES["native"]: _wrapped(native_error["ErrorBody"]),
        _ERROR_NAMES["anthropic"]: _wrapped(
            anthropic_error["ErrorBody"], type={"const": "error"}, request_id={"type": "string"}
        ),
        _ERROR_NAMES["ollama"]: _wrapped({"type": "string"}),
        _ERROR_NAMES["inference"]: _wrapped({"type": "string"}),
        _ERROR_NAMES["hugging_face"]: hf_error["HfError"],
    }


def _wrapped(error: dict[str, Any], **beside: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["error", *beside], "properties": {"error": error, **beside}}
