"""Everything behind the HTTP surface, as one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from podium.api.batches import Batches
from podium.api.classified import Classifier
from podium.api.embedded import Embedder
from podium.api.gatekeeper import Gatekeeper
from podium.api.generations import Dispatcher
from podium.api.observer import NoObserver, RequestObserver
from podium.api.recent_requests import RecentRequests
from podium.api.response_cache import ResponseCache
from podium.api.served_models import Models
from podium.api.text_tasks import TextTasks
from podium.api.usage import Usage
from podium.config.access import Access
from podium.config.server import Server


@dataclass(frozen=True)
class Backend:
    """Everything behind the HTTP surface.

    ``metrics`` renders the metrics page for an ``accept`` header and names its content type, ``draining`` says
    whether new work is refused, ``trace_ratio`` of the requests that come without a trace are recorded, and
    ``started_at_monotonic_seconds`` is when the process started (``time.monotonic``). Without ``batches`` there are
    neither files nor batches.
    """

    dispatcher: Dispatcher
    embedder: Embedder
    classifier: Classifier
    text_tasks: TextTasks
    models: Models
    server: Server
    access: Access
    gatekeeper: Gatekeeper
    cache: ResponseCache
    usage: Usage
    metrics: Callable[[str], tuple[bytes, str]]
    draining: Callable[[], bool]
    started_at_monotonic_seconds: float
    observer: RequestObserver = field(default_factory=NoObserver)
    recent: RecentRequests = field(default_factory=RecentRequests)
    batches: Batches | None = None
    version: str = "0"
    trace_ratio: float = 0.0

    def model_name(self, given: str | None) -> str:
        """``given``, or the name of the default model."""
        if given:
            return given
        statuses = self.models.list()
        return next((status.name for status in statuses if status.default), "")
