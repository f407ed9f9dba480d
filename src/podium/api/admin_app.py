"""The admin port: probes with their reasons; metrics and recent requests, guarded as on the traffic port."""

from __future__ import annotations

from starlette.middleware import Middleware

from podium.api import health, metrics, requests
from podium.api.app import bare_app
from podium.api.application import Application, within
from podium.api.backend import Backend
from podium.api.locality import Locality
from podium.api.middleware.authenticate import Authenticate
from podium.api.middleware.body_limit import BodyLimit
from podium.api.middleware.error_funnel import ErrorFunnel
from podium.api.middleware.header_limit import HeaderLimit
from podium.api.middleware.request_id import RequestId
from podium.api.middleware.security_headers import SecurityHeaders
from podium.api.routes import RouteLabels


def create_admin_app(backend: Backend) -> Application:
    """``/startupz``, ``/livez`` and ``/readyz``, open to everyone; figures for callers with the role ``metrics``.

    ``/metrics`` and ``/requests/recent`` are the figures. Nothing here waits or counts as a request.
    """
    app = bare_app(backend, title="Podium admin")
    app.router.routes.extend([*health.probes.routes, *metrics.router.routes, *requests.router.routes])
    limits = backend.server.limits
    return within(
        app,
        [
            Middleware(RequestId),
            Middleware(SecurityHeaders),
            Middleware(BodyLimit, max_bytes=limits.body_bytes, max_seconds=limits.body_seconds),
            Middleware(ErrorFunnel),
            Middleware(HeaderLimit, max_bytes=limits.header_bytes, max_lines=limits.header_count),
            Middleware(
                Authenticate,
                backend.gatekeeper,
                route_of=RouteLabels(app.routes),
                is_local=Locality(backend.server.admin_host, ()),
            ),
        ],
    )
