"""What each control route says of itself, and ``GET /openapi.json`` on the control port, which puts it together."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer
from podium.protocols import control, monitoring, native, rollouts
from podium.protocols.wire import WireModel

router = direct_router(in_schema=False)

DESCRIPTION = "Traffic, rollouts and monitoring of one gateway. On loopback; where there are keys, they take one."
_REFERENCE = "#/components/schemas/"
_JSON = "application/json"
_TEXT: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
_REQUESTS: tuple[type[WireModel], ...] = (control.TrafficChange, rollouts.RolloutRequest, rollouts.ReasonRequest)
_ANSWERS: tuple[type[msgspec.Struct], ...] = (
    control.TrafficAnswer,
    control.ReadyAnswer,
    rollouts.RolloutAnswer,
    rollouts.RolloutsAnswer,
    rollouts.EventsAnswer,
    rollouts.PlanAnswer,
    monitoring.DashboardAnswer,
    monitoring.AlertsAnswer,
    monitoring.MonitoringHealth,
    monitoring.ScrapeTargets,
)
_ERRORS = {
    400: "The request can never succeed as sent; `param` names the member at fault.",
    401: "No valid key.",
    403: "The key may not do this.",
    404: "No such route, or there never was a rollout.",
    409: "Not now: what stands in the way, and what to do about it. Nothing was changed.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    500: "The controller failed.",
    502: "The gateway refused the change, in its own words. Nothing was changed.",
    503: "The gateway cannot be asked, or did not confirm in time. Nothing was changed.",
}


def told(
    summary: str,
    *,
    answer: type[msgspec.Struct] | None,
    many: bool = False,
    request: type[WireModel] | None = None,
    example: dict[str, Any] | None = None,
    query: dict[str, str] | None = None,
    status: int = 200,
) -> dict[str, Any]:
    """Arguments for a route's decorator that describe it. ``answer`` None: plain text; ``many``: a list of it."""
    content = _TEXT if answer is None else {_JSON: {"schema": _list_of(answer) if many else _schema(answer)}}
    extra: dict[str, Any] = {
        "parameters": [
            {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
            for name, text in (query or {}).items()
        ]
    }
    if request is not None:
        required = bool(request.model_json_schema().get("required"))
        extra["requestBody"] = {
            "required": required,
            "content": {_JSON: {"schema": _schema(request), "example": example or {}}},
        }
    return {
        "summary": summary,
        "status_code": status,
        "response_model": None,
        "responses": {status: {"description": "Success.", "content": content}},
        "openapi_extra": extra,
    }


@router.get("/openapi.json", response_model=None)
async def openapi(request: Request) -> Response:
    """The description of every control route."""
    return JsonAnswer(describe(request.app))


def describe(app: FastAPI) -> dict[str, Any]:
    """Routes, schemas and error answers."""
    described = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    described["components"] = {"schemas": _schemas()}
    error = {_JSON: {"schema": {"$ref": f"{_REFERENCE}Error"}}}
    for item in described["paths"].values():
        for entry in item.values():
            entry["responses"].pop("422", None)  # the framework's own, which never happens here
            for status, text in _ERRORS.items():
                entry["responses"].setdefault(str(status), {"description": text, "content": error})
    return described


def _schema(kind: type) -> dict[str, str]:
    return {"$ref": _REFERENCE + kind.__name__}


def _list_of(kind: type) -> dict[str, Any]:
    return {"type": "array", "items": _schema(kind)}


def _schemas() -> dict[str, Any]:
    _, requests = models_json_schema([(kind, "validation") for kind in _REQUESTS], ref_template=_REFERENCE + "{model}")
    _, answers = msgspec.json.schema_components([*_ANSWERS, native.ErrorBody], ref_template=_REFERENCE + "{name}")
    error = answers.pop("ErrorBody")
    return {
        **requests["$defs"],
        **answers,
        "Error": {"type": "object", "required": ["error"], "properties": {"error": error}},
    }
