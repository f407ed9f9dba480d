"""Metrics of NVIDIA GPUs, read by NVML at each scrape. Without a GPU there is no series, which is not 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import structlog
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from podium.telemetry import table

log = structlog.get_logger(__name__)
_MILLI = 1e-3


@dataclass(frozen=True)
class GpuReading:
    """One GPU now; None is what this one does not tell, such as the utilization of a GPU that is split by MIG."""

    number: int
    used_bytes: int | None = None
    size_bytes: int | None = None
    utilization_ratio: float | None = None
    energy_joules: float | None = None
    xid_errors: int | None = None


ReadGpus = Callable[[], Sequence[GpuReading]]

_FIGURES: tuple[tuple[Callable[[], Family], Callable[[GpuReading], float | None]], ...] = (
    (table.GPU_MEMORY_USED.gauges, lambda gpu: gpu.used_bytes),
    (table.GPU_MEMORY_SIZE.gauges, lambda gpu: gpu.size_bytes),
    (table.GPU_UTILIZATION.gauges, lambda gpu: gpu.utilization_ratio),
    (table.GPU_ENERGY.counters, lambda gpu: gpu.energy_joules),
    (table.GPU_XID_ERRORS.counters, lambda gpu: gpu.xid_errors),
)


class GpuCollector(Collector):
    """Reads ``gpus`` at each scrape. A family without a value is left out."""

    def __init__(self, gpus: ReadGpus) -> None:
        self._gpus = gpus

    def collect(self) -> Iterator[Family]:
        """The present values."""
        readings = self._gpus()
        for make, value in _FIGURES:
            family = make()
            for gpu in readings:
                if (known := value(gpu)) is not None:
                    family.add_metric([str(gpu.number)], known)  # type: ignore[attr-defined]
            if family.samples:
                yield family


def nvml_gpus() -> ReadGpus:
    """Reads the GPUs of this machine; nothing where the driver, the library or a GPU is missing."""
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return tuple
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        log.info("no GPU is watched", reason=str(error))
        return tuple
    xids = XidErrors(nvml)
    return lambda: [_reading(nvml, number, xids.count(number)) for number in range(nvml.nvmlDeviceGetCount())]


class XidErrors:
    """Counts the critical errors (XID) that NVML tells as events, which it keeps until somebody asks."""

    def __init__(self, nvml: ModuleType) -> None:
        self._nvml = nvml
        self._events: dict[int, Any] = {}
        self._counts: dict[int, int] = {}

    def count(self, number: int) -> int | None:
        """Errors of a GPU since it was first asked about; None for one that tells no events. Never waits."""
        if number not in self._events:
            self._events[number] = self._registered(number)
        if self._events[number] is None:
            return None
        while self._happened(number):
            self._counts[number] = self._counts.get(number, 0) + 1
        return self._counts.get(number, 0)

    def _registered(self, number: int) -> Any:
        nvml = self._nvml
        try:
            events = nvml.nvmlEventSetCreate()
            gpu = nvml.nvmlDeviceGetHandleByIndex(number)
            nvml.nvmlDeviceRegisterEvents(gpu, nvml.nvmlEventTypeXidCriticalError, events)
        except nvml.NVMLError:  # a GPU, or a machine, that does not tell
            return None
        return events

    def _happened(self, number: int) -> bool:
        try:
            self._nvml.nvmlEventSetWait_v2(self._events[number], 0)
        except self._nvml.NVMLError:  # none, which NVML calls a timeout
            return False
        return True


def _reading(nvml: ModuleType, number: int, xid_errors: int | None) -> GpuReading:
    def told(ask: Callable[[], float], scale: float = 1.0) -> float | None:
        try:
            return ask() * scale
        except nvml.NVMLError:  # this GPU does not tell
            return None

    gpu = nvml.nvmlDeviceGetHandleByIndex(number)
    used = told(lambda: nvml.nvmlDeviceGetMemoryInfo(gpu).used)
    size = told(lambda: nvml.nvmlDeviceGetMemoryInfo(gpu).total)
    return GpuReading(
        number,
        used_bytes=None if used is None else int(used),
        size_bytes=None if size is None else int(size),
        utilization_ratio=told(lambda: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu, 0.01),
        energy_joules=told(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu), _MILLI),
        xid_errors=xid_errors,
    )
