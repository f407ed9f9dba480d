"""Interval counts that anybody's traffic splitter wrote down, as CSV or JSON lines.

Each row is one interval with the columns of ``Row``. ``aborted``, ``invalid``, ``assigned``, durations and ``share``
are optional, but every row has the same ones, and both arms. In CSV, durations of one interval stand in one cell,
separated by spaces.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from podium.config.nearest import nearest_word
from podium.core.errors import InvalidRequest
from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.latency_process import Samples, Thresholds
from podium.rollout.analysis.policy import CountedMetric, Metric, TimedMetric
from podium.rollout.analysis.stratum import Stratum

Layout = Literal["csv", "jsonl"]
_REQUIRED = ("interval", "stable_attempts", "stable_bad", "canary_attempts", "canary_bad")
_PAIRS = ("aborted", "invalid", "assigned", "ttft_seconds", "itl_seconds")
COLUMNS = (*_REQUIRED, "share", *(f"{arm}_{name}" for name in _PAIRS for arm in ("stable", "canary")))


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One interval as it is written. Counts are whole numbers, durations seconds, ``share`` is between 0 and 1."""

    interval: str | int | float
    stable_attempts: int
    stable_bad: int
    canary_attempts: int
    canary_bad: int
    share: float | None = None
    stable_aborted: int = 0
    canary_aborted: int = 0
    stable_invalid: int = 0
    canary_invalid: int = 0
    stable_assigned: int | None = None
    canary_assigned: int | None = None
    stable_ttft_seconds: tuple[float, ...] = ()
    canary_ttft_seconds: tuple[float, ...] = ()
    stable_itl_seconds: tuple[float, ...] = ()
    canary_itl_seconds: tuple[float, ...] = ()


class RecordedInterval(msgspec.Struct, frozen=True):
    """An interval with its name in the file and the share that was declared for it, if one was."""

    name: str
    share: float | None
    interval: Interval


class Recording(msgspec.Struct, frozen=True):
    """All intervals of a file, in its order, which metrics it has, and what was slow before, where that is known."""

    metrics: frozenset[Metric]
    intervals: tuple[RecordedInterval, ...]
    slow_above: Mapping[TimedMetric, Thresholds] = {}

    @property
    def counted_share(self) -> float:
        """The canary's part of all assignments, 0 to 1."""
        pairs = [recorded.interval.assignments for recorded in self.intervals]
        total = sum(stable + canary for stable, canary in pairs)
        return sum(canary for _, canary in pairs) / total if total else 0.0


def parse_recording(text: str, layout: Layout) -> Recording:
    """Read a whole file.

    Raises:
        InvalidRequest: with line number, what was found, and what is allowed.
    """
    recorded: list[RecordedInterval] = []
    columns: frozenset[str] | None = None
    lines: dict[str, int] = {}
    for line, given in _rows_of(text, layout):
        if columns is None:
            columns = _checked_columns(line, given)
        elif given.keys() != columns:
            odd = ", ".join(sorted(given.keys() ^ columns))
            raise InvalidRequest(f"line {line}: {odd} stands in some rows only; every row needs the same columns")
        row = _row(line, given)
        name = str(row.interval)
        if name in lines:
            raise InvalidRequest(f"line {line}: interval {name} stood in line {lines[name]} already; count it once")
        lines[name] = line
        recorded.append(_interval(line, row, columns))
    if columns is None:
        raise InvalidRequest(f"no intervals; needed: rows with {', '.join(_REQUIRED)}")
    return Recording(_metrics(columns), tuple(recorded))


def _rows_of(text: str, layout: Layout) -> Iterator[tuple[int, dict[str, Any]]]:
    return _csv_rows(text) if layout == "csv" else _json_rows(text)


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    for given in reader:
        if None in given or None in given.values():
            raise InvalidRequest(f"line {reader.line_num}: more or fewer cells than the first line has columns")
        yield reader.line_num, {key.strip(): _cell(key.strip(), value) for key, value in given.items()}


def _cell(column: str, value: str) -> object:
    if not column.endswith("_seconds"):
        return value.strip()
    return value.split()


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, written in enumerate(text.splitlines(), start=1):
        if written.strip():
            try:
                yield line, msgspec.json.decode(written, type=dict[str, Any])
            except msgspec.DecodeError as error:
                raise InvalidRequest(f"line {line}: not a JSON object ({error})") from error


def _checked_columns(line: int, given: Mapping[str, Any]) -> frozenset[str]:
    for column in given:
        if column not in COLUMNS:
            meant = nearest_word(column, COLUMNS)
            hint = f"did you mean {meant}?" if meant else f"known: {', '.join(COLUMNS)}"
            raise InvalidRequest(f"line {line}: unknown column {column}; {hint}")
    missing = [column for column in _REQUIRED if column not in given]
    for name in _PAIRS:
        arms = [f"{arm}_{name}" for arm in ("stable", "canary")]
        missing += [column for column in arms if column not in given and set(arms) & given.keys()]
    if missing:
        raise InvalidRequest(f"line {line}: missing {', '.join(missing)}; found: {', '.join(given)}")
    return frozenset(given)


def _row(line: int, given: Mapping[str, Any]) -> Row:
    try:
        return msgspec.convert(given, Row, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"line {line}: {error}; needed: whole counts, and seconds as numbers") from error


def _interval(line: int, row: Row, columns: frozenset[str]) -> RecordedInterval:
    if row.share is not None and not 0 < row.share <= 1:
        raise InvalidRequest(f"line {line}: a share of {row.share:g}; needed: above 0, at most 1 (0.1 is 10 %)")
    if min(row.stable_assigned or 0, row.canary_assigned or 0) < 0:
        raise InvalidRequest(f"line {line}: assignments below 0")
    try:
        interval = Interval(_counts(row, columns), _samples(row, columns), _assigned(row))
    except ValueError as error:
        raise InvalidRequest(f"line {line}: {error}") from error
    return RecordedInterval(str(row.interval), row.share, interval)


def _counts(row: Row, columns: frozenset[str]) -> dict[CountedMetric, Stratum]:
    def stratum(stable: int, canary: int) -> Stratum:
        return Stratum(row.stable_attempts, stable, row.canary_attempts, canary)

    counts: dict[CountedMetric, Stratum] = {"errors": stratum(row.stable_bad, row.canary_bad)}
    if "stable_aborted" in columns:
        counts["aborted"] = stratum(row.stable_aborted, row.canary_aborted)
    if "stable_invalid" in columns:
        counts["validity"] = stratum(row.stable_invalid, row.canary_invalid)
    return counts


def _samples(row: Row, columns: frozenset[str]) -> dict[TimedMetric, Samples]:
    samples: dict[TimedMetric, Samples] = {}
    if "stable_ttft_seconds" in columns:
        samples["ttft"] = Samples(row.stable_ttft_seconds, row.canary_ttft_seconds)
    if "stable_itl_seconds" in columns:
        samples["itl"] = Samples(row.stable_itl_seconds, row.canary_itl_seconds)
    return samples


def _assigned(row: Row) -> tuple[int, int] | None:
    if row.stable_assigned is None or row.canary_assigned is None:
        return None
    return row.stable_assigned, row.canary_assigned


def _metrics(columns: frozenset[str]) -> frozenset[Metric]:
    names: dict[str, Metric] = {
        "stable_bad": "errors",
        "stable_aborted": "aborted",
        "stable_invalid": "validity",
        "stable_ttft_seconds": "ttft",
        "stable_itl_seconds": "itl",
    }
    return frozenset(metric for column, metric in names.items() if column in columns)
