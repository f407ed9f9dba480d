"""Reading a Prometheus exposition again and again: names and labels are parsed once, values each time.

The text of a series (name and labels) is the same in every scrape, so what it stands for is remembered; parsing all
of it with the library each second would cost thirty times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from prometheus_client.parser import text_string_to_metric_families

T = TypeVar("T")

MOST_SERIES = 20_000
MOST_BYTES = 8 * 1024 * 1024


class Garbage(Exception):
    """What came is no exposition; the message says what is wrong with it, without repeating it."""


class ExpositionReader(Generic[T]):
    """Reads the expositions of one target. ``meaning`` tells what a series stands for; None: nothing of interest."""

    def __init__(self, meaning: Callable[[str, Mapping[str, str]], T | None]) -> None:
        self._meaning = meaning
        self._known: dict[bytes, T | None] = {}

    def read(self, text: bytes) -> list[tuple[T, float]]:
        """The series of interest with their values; a value may be no number of any size. Raises ``Garbage``."""
        if len(text) > MOST_BYTES:
            raise Garbage(f"more than {MOST_BYTES} bytes")
        found: list[tuple[T, float]] = []
        lines = 0
        for line in text.splitlines():
            if not line or line.startswith(b"#"):
                continue
            lines += 1
            if lines > MOST_SERIES:
                raise Garbage(f"more than {MOST_SERIES} series")
            series, _, value = line.rpartition(b" ")
            if series not in self._known:
                series, value = self._new(series, value)
            meaning = self._known[series]
            if meaning is not None:
                found.append((meaning, _number(value)))
        if not lines:
            raise Garbage("it holds no series")
        return found

    def _new(self, series: bytes, value: bytes) -> tuple[bytes, bytes]:
        """A series that is not known yet, or a known one with a time behind its value, which nobody wants."""
        shorter, _, earlier = series.rpartition(b" ")
        if shorter in self._known:
            return shorter, earlier
        meaning, has_time = self._parse(series)
        if has_time:
            series, value = shorter, earlier
        if len(self._known) >= MOST_SERIES:  # series of before, which may never come again
            self._known.clear()
        self._known[series] = meaning
        return series, value

    def _parse(self, series: bytes) -> tuple[T | None, bool]:
        """What it means, and whether it has a value already, so that what came behind it is a time."""
        try:
            text = series.decode()
            (family,) = text_string_to_metric_families(f"{text} 0\n")
            (sample,) = family.samples
            return self._meaning(sample.name, sample.labels), sample.timestamp is not None
        except (ValueError, KeyError, IndexError) as error:
            raise Garbage("a line is no series with a value") from error


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise Garbage("a value is no number") from error
