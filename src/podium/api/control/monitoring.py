"""``/monitoring/…``: what the monitor knows. For callers with the role ``metrics``."""

from __future__ import annotations

from typing import get_args

from starlette.requests import Request
from starlette.responses import Response

from podium.api.control.control import Monitoring, control_of
from podium.api.control.openapi import told
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer
from podium.core.errors import InvalidRequest, Unavailable
from podium.protocols.monitoring import AlertsAnswer, DashboardAnswer, MonitoringHealth, ScrapeTargets, Span
from podium.telemetry.exposition import TEXT

router = direct_router(tags=["Monitoring"])
SPANS: tuple[Span, ...] = get_args(Span)
METRICS_PATH = "/monitoring/metrics"


@router.get(METRICS_PATH, **told("The monitor's own figures", answer=None))
async def metrics(request: Request) -> Response:
    """The monitor's own figures in Prometheus text; those of the servers are at their own ``/metrics``."""
    return Response(_monitoring(request).metrics(), headers={**PRIVATE, "content-type": TEXT})


@router.get(
    "/monitoring/dashboard",
    **told("What the page shows", answer=DashboardAnswer, query={"span": "`5m` (the default), `1h` or `24h`."}),
)
async def dashboard(request: Request) -> Response:
    """Everything that the page shows, of the newest ``span``: ``5m`` (the default), ``1h`` or ``24h``."""
    wanted = request.query_params.get("span", SPANS[0])
    span = next((known for known in SPANS if known == wanted), None)
    if span is None:
        raise InvalidRequest(f"There is no such span; there are {', '.join(SPANS)}.", param="span")
    return JsonAnswer(_monitoring(request).dashboard(span), headers=PRIVATE)


@router.get("/monitoring/alerts", **told("Rules and alerts", answer=AlertsAnswer))
async def alerts(request: Request) -> Response:
    """Every rule's state, what fires, and what has ended."""
    return JsonAnswer(_monitoring(request).alerts(), headers=PRIVATE)


@router.get("/monitoring/health", **told("Whether all is well", answer=MonitoringHealth))
async def health(request: Request) -> Response:
    """Whether all is well, and what is not; 200 in any case."""
    return JsonAnswer(_monitoring(request).health(), headers=PRIVATE)


@router.get("/monitoring/targets", **told("What a Prometheus should scrape", answer=ScrapeTargets, many=True))
async def targets(request: Request) -> Response:
    """The servers' admin ports, for Prometheus's service discovery by HTTP: `podium up` draws them at each start."""
    return JsonAnswer(_monitoring(request).scrape_targets(), headers=PRIVATE)


def _monitoring(request: Request) -> Monitoring:
    found = control_of(request).monitoring
    if found is None:
        raise Unavailable("This controller has no monitor.", retry_after_seconds=60.0)
    return found
