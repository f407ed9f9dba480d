"""What a scrape tells of GPUs: what is known, and never a 0 for what is not."""

from __future__ import annotations

from typing import Any

from podium.telemetry.gpus import GpuReading, XidErrors, nvml_gpus
from podium.telemetry.metrics import ServerMetrics


def scraped(*gpus: GpuReading) -> str:
    return ServerMetrics(list, version="1", gpus=lambda: gpus).exposition().body.decode()


def test_each_gpu_has_its_series() -> None:
    text = scraped(GpuReading(0, 10, 80, 0.25, 1000.0), GpuReading(1, 20, 80, 0.5, 2000.0))
    assert 'podium_gpu_memory_used_bytes{gpu="1"} 20.0' in text
    assert 'podium_gpu_memory_size_bytes{gpu="0"} 80.0' in text
    assert 'podium_gpu_utilization_ratio{gpu="1"} 0.5' in text
    assert 'podium_gpu_energy_joules_total{gpu="0"} 1000.0' in text


def test_what_a_gpu_does_not_tell_has_no_series() -> None:
    text = scraped(GpuReading(0, used_bytes=10, size_bytes=80))
    assert "podium_gpu_memory_used_bytes" in text
    assert "podium_gpu_utilization" not in text
    assert "podium_gpu_energy" not in text
    assert "podium_gpu_xid" not in text


class Nvml:
    """The library's event calls: as many errors wait as a test says, and one GPU tells none."""

    nvmlEventTypeXidCriticalError = 8  # noqa: N815 - the library's name

    class NVMLError(Exception):
        """Its only exception."""

    def __init__(self) -> None:
        self.waiting = 0

    def nvmlEventSetCreate(self) -> str:  # noqa: N802
        return "events"

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        return number

    def nvmlDeviceRegisterEvents(self, gpu: int, kinds: int, events: str) -> None:  # noqa: N802
        if (gpu, kinds, events) != (0, 8, "events"):
            raise self.NVMLError

    def nvmlEventSetWait_v2(self, events: str, timeout_ms: int) -> str:  # noqa: N802
        if events != "events" or timeout_ms or not self.waiting:
            raise self.NVMLError
        self.waiting -= 1
        return "an event"


def test_critical_errors_are_counted_as_the_driver_tells_them() -> None:
    nvml: Any = Nvml()
    xids = XidErrors(nvml)
    assert (xids.count(0), xids.count(1)) == (0, None)
    nvml.waiting = 2
    assert (xids.count(0), xids.count(0)) == (2, 2)
    nvml.waiting = 1
    assert xids.count(0) == 3
    assert 'podium_gpu_xid_errors_total{gpu="0"} 3.0' in scraped(GpuReading(0, xid_errors=3))


def test_without_a_gpu_nothing_is_said_of_gpus() -> None:
    assert "gpu" not in scraped()


def test_a_machine_without_the_library_or_a_driver_has_no_gpus() -> None:
    """On a machine with both it reads them; either way it never raises."""
    assert all(reading.number >= 0 for reading in nvml_gpus()())
