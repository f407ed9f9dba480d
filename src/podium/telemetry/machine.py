"""Metrics of this process and its machine, read by psutil at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from podium.telemetry import log_writer, table


class MachineCollector(Collector):
    """The API process alone; workers are in ``podium_model_memory_bytes``."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def collect(self) -> Iterator[Family]:
        """The present values."""
        with self._process.oneshot():
            used, resident = self._process.cpu_times(), self._process.memory_info().rss
        records, dropped = log_writer.counts()
        processors, memory = psutil.cpu_times(), psutil.virtual_memory()
        idle = processors.idle + getattr(processors, "iowait", 0.0)
        yield from (
            _one(table.PROCESS_CPU.counters(), used.user + used.system),
            _one(table.PROCESS_MEMORY.gauges(), resident),
            _one(table.LOG_RECORDS.counters(), records),
            _one(table.LOG_RECORDS_DROPPED.counters(), dropped),
            _one(table.HOST_MEMORY_AVAILABLE.gauges(), memory.available),
            _one(table.HOST_MEMORY_SIZE.gauges(), memory.total),
        )
        seconds = table.HOST_CPU.counters()
        seconds.add_metric(["busy"], sum(processors[:8]) - idle)  # what follows is part of user and nice
        seconds.add_metric(["idle"], idle)
        yield seconds


def _one(family: Family, value: float) -> Family:
    family.add_sample(family.name + ("_total" if family.type == "counter" else ""), {}, value)
    return family
