"""Who is told of requests: the metrics always, an OpenTelemetry collector where one is configured."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from podium.api.middleware.access_log import QUIET
from podium.api.record import RequestRecord
from podium.config.settings import Settings
from podium.core.errors import ConfigurationError
from podium.telemetry.metrics import ServerMetrics

if TYPE_CHECKING:
    from podium.telemetry.otlp.export import OtlpExport


class Observers:
    """Tells the metrics of every request, and the export of those that have ended."""

    def __init__(self, metrics: ServerMetrics, export: OtlpExport) -> None:
        self._metrics = metrics
        self._export = export

    def received(self, record: RequestRecord) -> None:
        """A request arrived."""
        self._metrics.received(record)

    def finished(self, record: RequestRecord) -> None:
        """It ended."""
        self._metrics.finished(record)
        self._export.finished(record)

    def background(self, record: RequestRecord) -> None:
        """A line of a batch was tried."""
        self._metrics.background(record)
        self._export.finished(record)


def otlp_export(settings: Settings, version: str) -> OtlpExport | None:
    """The export that is configured, if any. Raises ``ConfigurationError`` without the libraries that it needs."""
    if not settings.telemetry.otlp_endpoint:
        return None
    try:
        from podium.telemetry.otlp.export import OtlpExport, Sender  # noqa: PLC0415 - an extra, and 30 MB
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "telemetry.otlp_endpoint is set and OpenTelemetry is not installed: pip install 'podium[otel]', or leave "
            "the address empty."
        ) from error
    except ImportError as error:
        raise ConfigurationError(
            "telemetry.otlp_endpoint is set and OpenTelemetry's messages were replaced by older ones of xds-protos, "
            "which go to the same place: pip install --force-reinstall --no-deps opentelemetry-proto"
        ) from error
    server = settings.server
    sender = Sender(version, f"{socket.gethostname()}:{server.port}")
    return OtlpExport(settings.telemetry, sender, quiet=QUIET)
