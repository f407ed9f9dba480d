"""The controller's own figures, in Prometheus's text format: who answers, what fires, and what stands in the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from podium.monitor.monitor import Monitor
from podium.monitor.webhooks import Deliveries
from podium.telemetry import table


class ControlPlane(Protocol):
    """What the monitor wants to know of the controller that it is a part of."""

    @property
    def gateway_rejections(self) -> int:
        """Configurations that gateways have refused so far."""

    @property
    def rollout_waiting_since(self) -> float | None:
        """When the rollout began to wait for somebody, in seconds since 1970; None while it does not."""


class NoControlPlane:
    """Nothing was refused and nothing waits."""

    gateway_rejections = 0
    rollout_waiting_since = None


def exposition(monitor: Monitor, deliveries: Deliveries, plane: ControlPlane) -> bytes:
    """Prometheus text format 0.0.4. Labels hold names of the configuration and of rules, and nothing else."""
    registry = CollectorRegistry()
    registry.register(_MonitorCollector(monitor, deliveries, plane))
    return generate_latest(registry)


class _MonitorCollector(Collector):
    def __init__(self, monitor: Monitor, deliveries: Deliveries, plane: ControlPlane) -> None:
        self._monitor = monitor
        self._deliveries = deliveries
        self._plane = plane

    def collect(self) -> Iterator[Metric]:
        monitor = self._monitor
        up, firing = table.TARGET_UP.gauges(), table.ALERT_FIRING.gauges()
        for target in monitor.targets:
            up.add_metric([target.name], float(target.state == "up"))
        for alert in monitor.alerts.alerts:
            firing.add_metric([alert.rule, alert.subject, alert.severity], float(alert.state == "firing"))
        sent = table.WEBHOOK_DELIVERIES.counters()
        for number, receiver in enumerate(self._deliveries.receivers, 1):
            for result in ("delivered", "postponed", "given_up", "dropped"):
                sent.add_metric([f"{number} {receiver.host}", result], getattr(receiver.counts, result))
        kept, last = table.KEPT_BYTES.gauges(), table.LAST_ROUND.gauges()
        kept.add_metric([], monitor.rings.nbytes)
        last.add_metric([], monitor.written_at)
        refused, waits = table.GATEWAY_REJECTIONS.counters(), table.ROLLOUT_WAITING_SINCE.gauges()
        refused.add_metric([], self._plane.gateway_rejections)
        since = self._plane.rollout_waiting_since
        waits.add_metric([], time.time() if since is None else since)
        left_out = table.MODELS_LEFT_OUT.gauges()
        left_out.add_metric([], len(monitor.windows.catalog.left_out))
        yield from (up, firing, sent, kept, last, refused, waits, left_out)
