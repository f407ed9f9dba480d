"""``/docs`` and ``/openapi.json``, with nothing fetched from anywhere else."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import fastapi_offline
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer
from podium.api.refusals import RouteNotFound

router = direct_router(in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon.png": "image/png",
}
_START = """window.onload = () => SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#docs", deepLinking: true, tryItOutEnabled: true, defaultModelsExpandDepth: 0
});
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Podium API</title>
<link rel="icon" href="/docs/favicon.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body><div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""


@router.get("/docs", response_model=None)
async def page(request: Request) -> Response:  # noqa: ARG001 - a route takes a request
    """The page."""
    return HTMLResponse(_PAGE, headers={"content-security-policy": _POLICY})


@router.get("/docs/{name}", response_model=None)
async def asset(request: Request, name: str) -> Response:  # noqa: ARG001 - a route takes a request
    """One of three files and a starting script, by exact name; nothing is looked up on disk by a caller's text."""
    if name == "start.js":
        return Response(_START, headers={"content-type": "text/javascript; charset=utf-8"})
    if name not in _FILES:
        raise RouteNotFound("There is nothing at this path. See /docs for what there is.")
    headers = {"content-type": _FILES[name], "cache-control": "max-age=3600"}
    return Response(_content(name), headers=headers)


@router.get("/openapi.json", response_model=None)
async def openapi(request: Request) -> Response:
    """The description that the page shows."""
    return JsonAnswer(request.app.openapi())


@cache
def _content(name: str) -> bytes:
    return (Path(fastapi_offline.__file__).parent / "static" / name).read_bytes()
