"""What host and server said of themselves while a run went on: a sample each second, in a file beside the run."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import msgspec
import psutil
from prometheus_client.parser import text_string_to_metric_families

from podium.core.errors import InvalidRequest
from podium.telemetry.table import KV_CACHE_USAGE, MODEL_RUNNING, MODEL_WAITING

SAMPLES_FILE = "samples.jsonl"
GAUGES = {
    MODEL_RUNNING.name: "running",
    MODEL_WAITING.name: "waiting",
    KV_CACHE_USAGE.name: "kv_cache_ratio",
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "kv_cache_ratio",
}
"""Gauges that are read, by their name at the server; those of several models are added."""
_EVERY_SECONDS = 1.0
_ASK_SECONDS = 2.0


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One moment. ``at``: unix seconds. Ratios are 0 to 1; None where nobody said."""

    at: float
    cpu_ratio: float
    memory_ratio: float
    running: float | None = None
    waiting: float | None = None
    kv_cache_ratio: float | None = None


class Sampling:
    """Samples for as long as the block lasts; ``metrics_url`` names a Prometheus exposition to read too."""

    def __init__(self, metrics_url: str | None = None) -> None:
        self.samples: list[Sample] = []
        self._url = metrics_url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bench samples", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        psutil.cpu_percent()  # the first call says nothing
        with httpx.Client(timeout=_ASK_SECONDS, trust_env=False) as client:
            while not self._stop.wait(_EVERY_SECONDS):
                host = {"cpu_ratio": psutil.cpu_percent() / 100, "memory_ratio": psutil.virtual_memory().percent / 100}
                self.samples.append(Sample(at=time.time(), **host, **self._server(client)))

    def _server(self, client: httpx.Client) -> dict[str, float]:
        if self._url is None:
            return {}
        try:
            answer = client.get(self._url)
            return gauges(answer.text) if answer.is_success else {}
        except (httpx.HTTPError, ValueError):
            return {}


def gauges(exposition: str) -> dict[str, float]:
    """The known gauges of a text exposition. Raises ``ValueError`` when it is none."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        name = GAUGES.get(family.name)
        if name is not None:
            found[name] = sum(sample.value for sample in family.samples)
    return found


def save_samples(folder: Path, samples: list[Sample]) -> None:
    """Write them beside the run in ``folder``. Raises ``FileExistsError`` when there are some."""
    with (folder / SAMPLES_FILE).open("xb") as file:
        file.writelines(msgspec.json.encode(sample) + b"\n" for sample in samples)


def load_samples(folder: Path) -> list[Sample]:
    """The samples of the run in ``folder``; none for a run without. Raises ``InvalidRequest`` for a file of others."""
    path = folder / SAMPLES_FILE
    if not path.exists():
        return []
    try:
        return [msgspec.json.decode(line, type=Sample) for line in path.read_bytes().splitlines()]
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"{SAMPLES_FILE} is not what Podium writes: {error}") from error
