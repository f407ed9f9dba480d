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
        """Keep ``weights``, past a crash of the program at any moment.

        Raises ``OSError`` when that cannot be done; then none are kept, rather than those of before, which would send
        traffic to where it was taken away from.
        """
        try:
            self._replace(msgspec.json.encode(dict(weights)))
        except OSError:
            self._path.unlink(missing_ok=True)
            raise

    def _replace(self, content: bytes) -> None:
        unfinished = self._path.with_suffix(".new")
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path)
