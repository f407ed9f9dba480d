"""``/``: the page that shows what the monitor knows. Files of the package, by exact names, under a strict policy.

The page holds nothing that is secret and is open to everyone who reaches the port; the figures that it asks for are
not, and need a key where there are keys.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from podium.api.direct_route import direct_router
from podium.api.refusals import RouteNotFound

router = direct_router(in_schema=False)

FOLDER = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FILES = {path.name: _TYPES[path.suffix] for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}
PATHS = frozenset({"/", *(f"/page/{name}" for name in FILES)})
"""Open to everyone, by their exact text."""

_HEADERS = {"content-security-policy": POLICY, "cache-control": "no-cache", "referrer-policy": "no-referrer"}


@router.get("/", response_model=None)
async def page(request: Request) -> Response:  # noqa: ARG001 - a route takes a request
    """The page."""
    return Response(_content("index.html"), headers={**_HEADERS, "content-type": "text/html; charset=utf-8"})


@router.get("/page/{name}", response_model=None)
async def asset(request: Request, name: str) -> Response:  # noqa: ARG001 - a route takes a request
    """One of its files; nothing is looked up on disk by a caller's text."""
    if name not in FILES:
        raise RouteNotFound("There is nothing at this path. The page is at /.")
    return Response(_content(name), headers={**_HEADERS, "content-type": FILES[name]})


@cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
