"""What host and server said of themselves while a run went on: a sample each second, in a file beside the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import msgspec
import psutil
from prometheus_client.parser import text_string_to_metric_families

from podium.core.errors import InvalidRequest
from podium.telemetry.table import KV_CACHE_USAGE, MODEL_RUNNING, MODEL_WAITING, TOKENS_DELIVERED

SAMPLES_FILE = "samples.jsonl"
SUMS = {
    MODEL_RUNNING.name: "running",
    MODEL_WAITING.name: "waiting",
    TOKENS_DELIVERED.name: "output_tokens",
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:generation_tokens_total": "output_tokens",
}
"""What is read, by its name at the server; several models and several servers are added."""
RATIOS = {KV_CACHE_USAGE.name: "kv_cache_ratio", "vllm:kv_cache_usage_perc": "kv_cache_ratio"}
"""The same for shares, of which the largest counts."""
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
    output_tokens: float | None = None  # since the servers started


class Sampling:
    """Samples for as long as the block lasts; ``urls`` name Prometheus expositions of the servers to read too.

    A moment at which one of them did not answer has nothing of any: a part of a sum is no figure.
    """

    def __init__(self, urls: Sequence[str] = ()) -> None:
        self.samples: list[Sample] = []
        self._urls = urls
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
                self.samples.append(Sample(at=time.time(), **host, **self._servers(client)))

    def _servers(self, client: httpx.Client) -> dict[str, float]:
        try:
            found = [figures(client.get(url).raise_for_status().text) for url in self._urls]
        except (httpx.HTTPError, ValueError):
            return {}
        return together(found)


def figures(exposition: str) -> dict[str, float]:
    """The known figures of a text exposition. Raises ``ValueError`` when it is none."""
    found = [
        {(SUMS | RATIOS)[sample.name]: sample.value}
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name in SUMS or sample.name in RATIOS
    ]
    return together(found)


def together(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Figures of several models or servers as one."""
    found: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            found[name] = max(found.get(name, 0.0), value) if name.endswith("_ratio") else found.get(name, 0.0) + value
    return found


def answers_with_figures(url: str) -> bool:
    """Whether there is an exposition with any known figure at ``url``."""
    try:
        return bool(figures(httpx.get(url, timeout=_ASK_SECONDS, trust_env=False).raise_for_status().text))
    except (httpx.HTTPError, ValueError):
        return False


def tokens_per_second(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Output tokens a second between neighbouring samples, at the later one; a counter that fell starts anew."""
    known = [(sample.at, sample.output_tokens) for sample in samples if sample.output_tokens is not None]
    return [(at, (now - before) / (at - then)) for (then, before), (at, now) in pairwise(known) if now >= before]


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
