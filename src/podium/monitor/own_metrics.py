"""The monitor's own figures, in Prometheus's text format: who answers, and what fires."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from podium.monitor.monitor import Monitor
from podium.monitor.webhooks import Deliveries


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
        up = GaugeMetricFamily("podium_monitor_target_up", "1 while the target answers well.", labels=["target"])
        for target in monitor.targets:
            up.add_metric([target.name], float(target.state == "up"))
        yield up
        firing = GaugeMetricFamily(
            "podium_monitor_alert_firing", "1 while the alert fires.", labels=["rule", "subject", "severity"]
        )
        for alert in monitor.alerts.alerts:
            firing.add_metric([alert.rule, alert.subject, alert.severity], float(alert.state == "firing"))
        yield firing
        sent = CounterMetricFamily(
            "podium_alert_webhook_deliveries", "Messages for a receiver by what became of them.",
            labels=["receiver", "result"],
        )  # fmt: skip
        for number, receiver in enumerate(self._deliveries.receivers, 1):
            for result in ("delivered", "given_up", "dropped"):
                sent.add_metric([f"{number} {receiver.host}", result], getattr(receiver.counts, result))
        yield sent
        yield GaugeMetricFamily("podium_monitor_kept_bytes", "Size of the kept history.", value=monitor.rings.nbytes)
        yield GaugeMetricFamily(
            "podium_monitor_last_round_timestamp_seconds", "When figures were last put down; seconds since 1970.",
            value=monitor.written_at,
        )  # fmt: skip
