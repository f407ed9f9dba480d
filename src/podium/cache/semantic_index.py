"""Questions that were answered, by their vectors: exact search within a partition, bounded, in this process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.cache.key import CacheKey

_FIRST_ROWS = 8

Vector = NDArray[np.float32]


class Match(NamedTuple):
    """The key of a kept answer, and the cosine of the two questions, -1 to 1."""

    key: CacheKey
    similarity: float


@dataclass
class _Partition:
    """Rows 0 to n - 1 of ``matrix`` are the vectors of the n keys."""

    matrix: Vector
    keys: list[CacheKey] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)


class SemanticIndex:
    """At most ``max_entries`` questions over all partitions; the least recently used go first.

    Searching costs one multiplication with the vectors of a partition. Nothing but digests and vectors is
    kept. ``clock`` is monotonic seconds. Not thread-safe.
    """

    def __init__(self, *, max_entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._partitions: dict[bytes, _Partition] = {}
        self._used: OrderedDict[bytes, bytes] = OrderedDict()  # digest of a key to its partition, oldest use first

    def __len__(self) -> int:
        return len(self._used)

    def nearest(self, partition: bytes, vector: Vector) -> Match | None:
        """The most similar question whose time is not over; None in an empty partition."""
        found = self._partitions.get(partition)
        if found is None or found.matrix.shape[1] != len(vector):
            return None
        similarities = found.matrix[: len(found.keys)] @ vector
        for row in np.argsort(-similarities, kind="stable").tolist():
            if found.ends[row] > self._clock():
                key = found.keys[row]
                self._used.move_to_end(key.digest)
                return Match(key, float(min(1.0, max(-1.0, similarities[row]))))
        return None

    def add(self, partition: bytes, vector: Vector, key: CacheKey, *, ttl_seconds: float) -> None:
        """Remember a question of length 1, in the place of an older one with the same key."""
        self.forget(key)
        found = self._partitions.get(partition)
        if found is None or found.matrix.shape[1] != len(vector):
            self._drop_partition(partition)
            found = self._partitions[partition] = _Partition(np.empty((_FIRST_ROWS, len(vector)), dtype=np.float32))
        row = len(found.keys)
        if row == len(found.matrix):
            found.matrix = np.concatenate([found.matrix, np.empty_like(found.matrix)])
        found.matrix[row] = vector
        found.keys.append(key)
        found.ends.append(self._clock() + ttl_seconds)
        self._used[key.digest] = partition
        while len(self._used) > self._max_entries:
            digest, oldest = next(iter(self._used.items()))
            self._remove(oldest, digest)

    def forget(self, key: CacheKey) -> None:
        """The answer of ``key`` is gone."""
        partition = self._used.get(key.digest)
        if partition is not None:
            self._remove(partition, key.digest)

    def _remove(self, partition: bytes, digest: bytes) -> None:
        """Take a row out; the last one takes its place."""
        del self._used[digest]
        found = self._partitions[partition]
        row = next(row for row, key in enumerate(found.keys) if key.digest == digest)
        found.matrix[row] = found.matrix[len(found.keys) - 1]
        found.keys[row], found.ends[row] = found.keys[-1], found.ends[-1]
        found.keys.pop()
        found.ends.pop()
        if not found.keys:
            del self._partitions[partition]

    def _drop_partition(self, partition: bytes) -> None:
        found = self._partitions.pop(partition, None)
        for key in found.keys if found is not None else ():
            del self._used[key.digest]
