"""The control port: probes and the bare page for everyone, figures for ``metrics``, everything else for ``admin``."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from podium.api.application import Application, within
from podium.api.control import dashboard, monitoring, openapi, probes, rollouts, traffic
from podium.api.control.control import Control
from podium.api.locality import Locality
from podium.api.middleware.authenticate import Authenticate
from podium.api.middleware.body_limit import BodyLimit
from podium.api.middleware.error_funnel import ErrorFunnel
from podium.api.middleware.header_limit import HeaderLimit
from podium.api.middleware.host import HostCheck
from podium.api.middleware.request_id import RequestId
from podium.api.middleware.security_headers import SecurityHeaders
from podium.api.roles import PROBES
from podium.api.routes import RouteLabels


def create_control_app(control: Control) -> ASGIApp:
    """The same guards as on the traffic port. A route that is not in the table of roles needs ``admin``."""
    parts = (probes, dashboard, monitoring, traffic, rollouts, openapi)
    routes = [route for part in parts for route in part.router.routes]
    return _guarded(control, routes, open_paths=PROBES | dashboard.PATHS)


def create_scrape_app(control: Control) -> ASGIApp:
    """The monitor's figures and nothing else, for a port that a Prometheus elsewhere reaches; as guarded as there."""
    routes = [route for route in monitoring.router.routes if getattr(route, "path", "") == monitoring.METRICS_PATH]
    return _guarded(control, routes, open_paths=frozenset())


def _guarded(control: Control, routes: list[BaseRoute], *, open_paths: frozenset[str]) -> ASGIApp:
    app = Application(title="Podium control", version=control.version, openapi_url=None, redirect_slashes=False)
    app.state.control = control
    app.router.routes[:] = routes
    limits = control.limits
    return within(
        app,
        [
            Middleware(RequestId),
            Middleware(SecurityHeaders),
            Middleware(BodyLimit, max_bytes=limits.body_bytes, max_seconds=limits.body_seconds),
            Middleware(ErrorFunnel),
            Middleware(HostCheck, ()),
            Middleware(HeaderLimit, max_bytes=limits.header_bytes, max_lines=limits.header_count),
            Middleware(
                Authenticate,
                control.gatekeeper,
                route_of=RouteLabels(app.routes),
                is_local=Locality(control.address, ()),
                open_paths=open_paths,
            ),
        ],
    )
