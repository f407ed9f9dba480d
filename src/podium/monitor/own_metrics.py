"""The monitor's own figures, in Prometheus's text format: who answers, and what fires."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from podium.monitor.monitor import Monitor
from podium.monitor.webhooks import Deliveries
from podium.telemetry import table


def exposition(monitor: Monitor, deliveries: Deliveries) -> bytes:
    """Prometheus text format 0.0.4. Labels hold names of the configuration and of rules, and nothing else."""
    registry = CollectorRegistry()
    registry.register(_MonitorCollector(monitor, deliveries))
    return generate_latest(registry)


class _MonitorCollector(Collector):
    def __init__(self, monitor: Monitor, deliveries: Deliveries) -> None:
        self._monitor = monitor
        self._deliveries = deliveries

    def collect(self) -> Iterator[Metric]:
        monitor = self._monitor
        up, firing = table.TARGET_UP.gauges(), table.ALERT_FIRING.gauges()
        for target in monitor.targets:
            up.add_metric([target.name], float(target.state == "up"))
        for alert in monitor.alerts.alerts:
            firing.add_metric([alert.rule, alert.subject, alert.severity], float(alert.state == "firing"))
        sent = table.WEBHOOK_DELIVERIES.counters()
        for number, receiver in enumerate(self._deliveries.receivers, 1):
            for result in ("delivered", "given_up", "dropped"):
                sent.add_metric([f"{number} {receiver.host}", result], getattr(receiver.counts, result))
        kept, last = table.KEPT_BYTES.gauges(), table.LAST_ROUND.gauges()
        kept.add_metric([], monitor.rings.nbytes)
        last.add_metric([], monitor.written_at)
        yield from (up, firing, sent, kept, last)
