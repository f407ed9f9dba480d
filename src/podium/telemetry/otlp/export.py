"""Sends what requests did, and what the metrics say, to an OpenTelemetry collector. Nothing ever waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Self

import structlog
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from podium.aio import tasks
from podium.config.telemetry import Telemetry
from podium.core.errors import ConfigurationError
from podium.telemetry import table
from podium.telemetry.otlp.families import metrics_data
from podium.telemetry.otlp.spans import TracedRequest, spans_of

log = structlog.get_logger(__name__)

MOST_WAITING = 2048
MOST_AT_ONCE = 256
EVERY_SECONDS = 1.0
SEND_SECONDS = 3.0
"""For one batch, with its retries; also what a collector that is away can add to a server's end."""

Result = Literal["sent", "failed", "dropped"]
Signal = Literal["trace", "metrics"]


@dataclass(frozen=True)
class Sender:
    """Who sends, as the collector will know it."""

    version: str
    instance: str


class _OwnResource(Resource):
    """Compared by identity: the exporter looks its resource up for each span, and a plain one is made JSON for it."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class OtlpExport(Collector):
    """Told of each request that ended; sends those of sampled traces in batches, and ``registry`` now and then.

    At most ``MOST_WAITING`` requests wait; more are dropped and counted. Entered: it runs. Left: what waits has been
    sent, or given up after ``SEND_SECONDS``. ``quiet`` are routes that have no trace, such as probes.
    """

    def __init__(self, settings: Telemetry, sender: Sender, *, quiet: Iterable[str] = ()) -> None:
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)  # one line for each change is told below
        headers = _headers(settings.otlp_headers_file)
        address = settings.otlp_endpoint
        self._every = settings.otlp_metrics_seconds
        self._spans = OTLPSpanExporter(f"{address}/v1/traces", headers=headers, timeout=SEND_SECONDS)
        self._metrics = OTLPMetricExporter(f"{address}/v1/metrics", headers=headers, timeout=SEND_SECONDS)
        self._resource = _OwnResource(
            {"service.name": "podium", "service.version": sender.version, "service.instance.id": sender.instance}
        )
        self._quiet = frozenset(quiet)
        self._waiting: deque[tuple[TracedRequest, int]] = deque()
        self._counts: dict[tuple[Signal, Result], int] = {
            (signal, result): 0 for signal in ("trace", "metrics") for result in ("sent", "failed", "dropped")
        }
        self._well: dict[Signal, bool] = {}
        self._since = time.time_ns()
        self._loops: list[asyncio.Task[None]] = []
        self._ending = asyncio.Event()
        self._registry: CollectorRegistry | None = None

    def finished(self, request: TracedRequest) -> None:
        """A request ended; its spans are made later."""
        if not request.trace.sampled or request.route in self._quiet:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._counts["trace", "dropped"] += 1
            return
        self._waiting.append((request, time.time_ns()))

    def send_metrics_of(self, registry: CollectorRegistry) -> None:
        """Send the metrics of ``registry``; say so before it is entered."""
        self._registry = registry

    async def __aenter__(self) -> Self:
        self._loops.append(tasks.start(self._send_traces(), name="send traces"))
        if self._registry is not None and self._every:
            self._loops.append(tasks.start(self._send_metrics(self._registry), name="send metrics"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        await asyncio.gather(*self._loops)
        await asyncio.to_thread(self._spans.shutdown)
        await asyncio.to_thread(self._metrics.shutdown)

    def collect(self) -> Iterator[Family]:
        """What became of what was to be sent."""
        family = table.OTLP_EXPORTS.counters()
        for (signal, result), count in self._counts.items():
            family.add_metric([signal, result], count)
        yield family

    async def _send_traces(self) -> None:
        over = False
        while not over:
            over = await self._ends_within(EVERY_SECONDS)
            while self._waiting and await self._send_waiting():
                pass

    async def _ends_within(self, seconds: float) -> bool:
        """Wait so long, or until the end; whether it is the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        return self._ending.is_set()

    async def _send_waiting(self) -> bool:
        """Send one batch; whether the collector took it. A batch that it did not take is given up."""
        batch = [self._waiting.popleft() for _ in range(min(MOST_AT_ONCE, len(self._waiting)))]

        def send() -> bool:
            spans = [span for request, ended in batch for span in spans_of(request, ended, self._resource)]
            return self._spans.export(spans) is SpanExportResult.SUCCESS

        return await self._sent("trace", len(batch), send)

    async def _send_metrics(self, registry: CollectorRegistry) -> None:
        over = False
        while not over:
            over = await self._ends_within(self._every)
            # Read here, where the figures are written; only the sending is a thread's.
            page = metrics_data(registry.collect(), self._resource, since=self._since, now=time.time_ns())
            await self._sent("metrics", 1, partial(self._took, page))

    def _took(self, page: MetricsData) -> bool:
        return self._metrics.export(page) is MetricExportResult.SUCCESS

    async def _sent(self, signal: Signal, count: int, send: Callable[[], bool]) -> bool:
        well = await asyncio.to_thread(send)
        self._counts[signal, "sent" if well else "failed"] += count
        if well != self._well.get(signal, True):
            level = "info" if well else "warning"
            getattr(log, level)("the collector takes them again" if well else "the collector takes none", signal=signal)
        self._well[signal] = well
        return well


def _headers(file: str) -> Mapping[str, str] | None:
    """Raises ``ConfigurationError`` for a file that cannot be read, or that holds something else."""
    if not file:
        return None
    try:
        lines = Path(file).expanduser().read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"telemetry.otlp_headers_file: {file} cannot be read.") from error
    found = {}
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if line.strip() and not (colon and name.strip()):
            raise ConfigurationError(f"telemetry.otlp_headers_file: line {number} should read `name: value`.")
        if line.strip():
            found[name.strip().lower()] = value.strip()
    return found
