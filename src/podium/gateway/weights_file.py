"""The weights that were last confirmed, in a file: a controller that was killed begins where it ended."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from podium.gateway.topology import TOTAL_WEIGHT


class WeightsFile:
    """Weights in units, written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, names: tuple[str, ...]) -> dict[str, int] | None:
        """The weights of exactly these environments, in their order; None when there are none."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        if set(kept) != set(names) or sum(kept.values()) != TOTAL_WEIGHT:
            return None
        return {name: kept[name] for name in names}

    def write(self, weights: Mapping[str, int]) -> None:
        """Keep ``weights``, past a crash of the program at any moment."""
        unfinished = self._path.with_suffix(".new")
        with unfinished.open("wb") as file:
            file.write(msgspec.json.encode(dict(weights)))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path)
