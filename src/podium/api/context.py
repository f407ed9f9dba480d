"""How a route reaches what is behind the HTTP surface."""

from __future__ import annotations

from starlette.requests import Request

from podium.api.backend import Backend


def backend_of(request: Request) -> Backend:
    """The backend that the application was created with."""
    backend: Backend = request.app.state.backend
    return backend
