"""The metrics page in the format that a scraper asks for: text, OpenMetrics with examples, protobuf."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from podium.telemetry.aliases import with_vllm_names

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = openmetrics.CONTENT_TYPE_LATEST
_MESSAGES = "proto=io.prometheus.client.MetricFamily"
_PROTOBUF = "application/vnd.google.protobuf"
PROTOBUF = f"{_PROTOBUF}; {_MESSAGES}; encoding=delimited"


class Page(NamedTuple):
    """One answer."""

    body: bytes
    content_type: str


@dataclass(frozen=True)
class Formats:
    """What may be asked for. ``native_histograms``: protobuf too, whose histograms have exponential buckets.

    That is a choice of the operator and not of the scraper alone: of a family with both kinds of buckets a Prometheus
    before 2.45 keeps the exponential ones only, and rules about ``_bucket`` series find nothing. ``vllm_names``:
    metrics that vLLM has too are there twice.
    """

    native_histograms: bool = False
    vllm_names: bool = False

    def page(self, registry: CollectorRegistry, accept: str) -> Page:
        """The first known format of ``accept``, by its order and not its weights, as scrapers write it; else text.

        A Prometheus that keeps exponential buckets asks for protobuf first, and every other for OpenMetrics.
        """
        families = _Families(with_vllm_names(registry.collect()) if self.vllm_names else registry.collect())
        for wanted in accept.split(","):
            kind, *parameters = (part.strip() for part in wanted.split(";"))
            if kind == _PROTOBUF and self.native_histograms and {_MESSAGES, "encoding=delimited"} <= set(parameters):
                from podium.telemetry.protobuf_format import encode  # noqa: PLC0415 - its runtime is for those who ask

                return Page(encode(families.collect()), PROTOBUF)
            if kind == "application/openmetrics-text":
                # By default the library writes an underscore for the colon of vLLM's names here, and only here.
                body: bytes = openmetrics.generate_latest(families, escaping=openmetrics.ALLOWUTF8)  # type: ignore[no-untyped-call]
                return Page(body, OPENMETRICS)
            if kind == "text/plain":
                break
        return Page(generate_latest(families), TEXT)


PLAIN = Formats()
"""What nobody has configured: text and OpenMetrics, our own names."""


class _Families(Collector):
    """Families that were read already, as the library's writers take them."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families
