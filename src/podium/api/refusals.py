"""What only HTTP can get wrong. Leaves of the error tree that no other layer needs."""

from __future__ import annotations

from starlette.exceptions import HTTPException

from podium.core.errors import ClientDisconnected, InvalidRequest, NotFound, PodiumError


class BadHost(InvalidRequest):
    """The Host header is missing, repeated, malformed, or not one that this server answers to."""

    code = "bad_host"


class HeadersTooLarge(InvalidRequest):
    """More header bytes or lines than allowed."""

    code = "headers_too_large"


class BodyTimeout(InvalidRequest):
    """The headers or the body did not arrive in time."""

    code = "body_timeout"


class MalformedHttp(InvalidRequest):
    """The bytes are not an HTTP/1.1 request."""

    code = "malformed_http"


class UnsupportedMediaType(InvalidRequest):
    """The body is not plain ``application/json``."""

    code = "unsupported_media_type"


class MethodNotAllowed(InvalidRequest):
    """The path exists; the method does not."""

    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class RouteNotFound(NotFound):
    """No route has that path."""

    code = "route_not_found"


class StalledReader(ClientDisconnected):
    """The client is there, but reads nothing."""

    code = "stalled_reader"


SURFACE_ERRORS: tuple[type[PodiumError], ...] = (
    BadHost,
    HeadersTooLarge,
    BodyTimeout,
    MalformedHttp,
    UnsupportedMediaType,
    MethodNotAllowed,
    RouteNotFound,
    StalledReader,
)


def of_router(error: Exception) -> PodiumError | None:
    """The router's own refusal as one of ours; None for anything else that was raised."""
    if not isinstance(error, HTTPException):
        return None
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return MethodNotAllowed(f"This path answers to {allow or 'other methods'} only.", allow=allow)
    if error.status_code == 404:
        return RouteNotFound("There is nothing at this path. See /docs for what there is.")
    return None
