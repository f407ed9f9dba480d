"""A clock that tests move, and a monitor's parts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from podium.monitor.catalog import EVERYTHING, Catalog, Key, catalog_of
from podium.monitor.rings import Rings
from podium.monitor.windows import Windows


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Past:
    """Rings that a test fills second by second."""

    catalog: Catalog = field(default_factory=lambda: catalog_of(["blue"], ["m"]))

    def __post_init__(self) -> None:
        levels = [row for key, row in self.catalog.rows.items() if self.catalog.kinds[key] != "counter"]
        self.rings = Rings(len(self.catalog.rows), levels)
        self.windows = Windows(self.rings, self.catalog)
        self.second = 1000

    def passes(self, seconds: int, values: Mapping[Key, float] | None = None) -> None:
        """So many seconds, in each of which ``values`` were learnt; None: nothing was."""
        for _ in range(seconds):
            self.second += 1
            if values is not None:
                rows = {self.catalog.rows[key]: value for key, value in values.items()}
                self.rings.write(self.second, rows, covered_seconds=1.0)


def of_model(figure: str, bucket: float | None = None) -> Key:
    """A figure of the model ``m``."""
    return Key("model", "m", figure, bucket)


def of_all(figure: str) -> Key:
    """A figure of everything."""
    return Key("all", EVERYTHING, figure)
