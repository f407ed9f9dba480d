"""The metrics page as protocol buffers: the one format in which a Prometheus takes exponential buckets.

The client library does not write it, and no package on the index has the message types, so the part of them that is
used here is described below, with the numbers of
https://github.com/prometheus/client_model/blob/v0.6.1/io/prometheus/client/metrics.proto. Of a histogram both kinds of
buckets are written; which it keeps is the scraper's choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Exemplar

from podium.telemetry.distribution import SCHEMA, ZERO_THRESHOLD, Distribution
from podium.telemetry.histograms import HistogramFamily

_PACKAGE = "io.prometheus.client"
_KINDS = {"counter": 0, "gauge": 1, "unknown": 3, "histogram": 4}
_GAP = 2
"""Empty buckets between two full ones up to which they stay one span: a zero costs less than a new span."""

_MESSAGES = {
    "Timestamp": "1 seconds int64, 2 nanos int32",
    "LabelPair": "1 name string, 2 value string",
    "Exemplar": "1 label LabelPair*, 2 value double, 3 timestamp Timestamp",
    "Value": "1 value double",
    "Bucket": "1 cumulative_count uint64, 2 upper_bound double, 3 exemplar Exemplar",
    "BucketSpan": "1 offset sint32, 2 length uint32",
    "Histogram": "1 sample_count uint64, 2 sample_sum double, 3 bucket Bucket*, 5 schema sint32, "
    "6 zero_threshold double, 7 zero_count uint64, 12 positive_span BucketSpan*, 13 positive_delta sint64*",
    "Metric": "1 label LabelPair*, 2 gauge Value, 3 counter Value, 5 untyped Value, 7 histogram Histogram",
    "MetricFamily": "1 name string, 2 help string, 3 type int32, 4 metric Metric*",
}
"""Fields by message: number, name, type; a star for a list. Counters, gauges and untyped values look the same, and an
enumeration is a number."""


def _described() -> Mapping[str, Any]:
    """The message classes, in a pool of their own: other packages may bring the same ones."""
    file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind in (part.split() for part in fields.split(", ")):
            added = message.field.add(name=field, number=int(number), label=3 if kind.endswith("*") else 1)
            if (plain := kind.rstrip("*")) in _MESSAGES:
                added.type_name = f".{_PACKAGE}.{plain}"
                added.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
            else:
                added.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{plain.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


MESSAGES = _described()
"""Message classes by name."""


def encode(families: Iterable[Family]) -> bytes:
    """All families, each with its length before it."""
    out = bytearray()
    for family in families:
        body = _family(family).SerializeToString()
        out += _varint(len(body)) + body
    return bytes(out)


def _family(family: Family) -> Any:
    kind = family.type if family.type in _KINDS else "unknown"
    name = f"{family.name}_total" if kind == "counter" else family.name
    message = MESSAGES["MetricFamily"](name=name, help=family.documentation, type=_KINDS[kind])
    if isinstance(family, HistogramFamily):
        for labels, distribution in family.distributions:
            metric = message.metric.add(label=_labels(labels))
            _fill(metric.histogram, distribution)
        return message
    member = "untyped" if kind == "unknown" else kind
    for sample in family.samples:
        if not sample.name.endswith("_created"):
            getattr(message.metric.add(label=_labels(sample.labels)), member).value = sample.value
    return message


def _labels(labels: Mapping[str, str]) -> list[Any]:
    return [MESSAGES["LabelPair"](name=name, value=value) for name, value in sorted(labels.items())]


def _fill(histogram: Any, distribution: Distribution) -> None:
    histogram.sample_count = distribution.count
    histogram.sample_sum = distribution.total
    for bound, seen, exemplar in distribution.buckets():
        bucket = histogram.bucket.add(cumulative_count=seen, upper_bound=bound)
        if exemplar is not None:
            _fill_exemplar(bucket.exemplar, exemplar)
    histogram.schema = SCHEMA
    histogram.zero_threshold = ZERO_THRESHOLD
    histogram.zero_count = distribution.zeros
    before = 0
    for offset, counts in spans(distribution.exponential):
        histogram.positive_span.add(offset=offset, length=len(counts))
        for count in counts:
            histogram.positive_delta.append(count - before)
            before = count
    if not distribution.exponential:
        histogram.positive_span.add(offset=0, length=0)  # else an empty one is taken for one without such buckets


def _fill_exemplar(message: Any, exemplar: Exemplar) -> None:
    message.label.extend(_labels(exemplar.labels))
    message.value = exemplar.value
    seconds = float(exemplar.timestamp or 0)
    message.timestamp.seconds = int(seconds)
    message.timestamp.nanos = int(seconds % 1 * 1e9)


def spans(counts: Mapping[int, int]) -> Iterator[tuple[int, list[int]]]:
    """Runs of buckets: how many lie between a run and the one before (the first: its number), and the run's counts."""
    numbers = sorted(counts)
    end = start = 0
    run: list[int] = []
    for number in numbers:
        if run and number - (start + len(run)) <= _GAP:
            run += [0] * (number - start - len(run))
        else:
            if run:
                yield start - end, run
                end = start + len(run)
            start, run = number, []
        run.append(counts[number])
    if run:
        yield start - end, run


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
