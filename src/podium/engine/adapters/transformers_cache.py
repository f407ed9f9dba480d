"""One KV cache for a whole batch: every sequence ends at the same column, padding stands before it.

Sequences join with the cache of their own prefill and leave at any time. A decode step writes one
column for all rows and reads a view, so nothing is copied except when membership or capacity changes.
Left padding is what ``generate`` itself uses, so masks, sliding windows and ALiBi stay right.
"""

from __future__ import annotations

import torch
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

COLUMN_SLACK = 256
"""Columns added at a time: one relocation for at least that many decoded tokens."""


class PaddedLayer(CacheLayerMixin):  # type: ignore[misc]  # transformers is untyped here
    """Keys and values of one attention layer: shape (rows, heads, columns, head dimension)."""

    is_sliding = False

    def __init__(self, like: CacheLayerMixin, *, rows: int, columns: int) -> None:
        super().__init__()
        self.keys = _zeros_like(like.keys, rows, columns)
        self.values = _zeros_like(like.values, rows, columns)
        self.is_initialized = True
        self.rows = 0
        self.start = 0
        self.end = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing: the tensors exist from the start."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the step's column for all rows and return the window that the step may read."""
        after = self.end + key_states.shape[-2]
        self.keys[: self.rows, :, self.end : after] = key_states
        self.values[: self.rows, :, self.end : after] = value_states
        return self.keys[: self.rows, :, self.start : after], self.values[: self.rows, :, self.start : after]

    def get_seq_length(self) -> int:
        """Width of the window before this step, padding included."""
        return self.end - self.start

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Columns that the mask covers, and its offset."""
        return self.end - self.start + query_length, 0

    def get_max_cache_shape(self) -> int:
        """-1: the layer grows."""
        return -1

    def relocate(self, *, rows: int, columns: int, to: int) -> None:
        """Move the window into new tensors of (rows, columns), its right edge at column ``to``."""
        self.keys = _moved(self.keys, rows, columns, slice(self.start, self.end), to)
        self.values = _moved(self.values, rows, columns, slice(self.start, self.end), to)

    def write_row(self, row: int, like: CacheLayerMixin, length: int) -> None:
        """Fill ``row`` from a prefill's cache; what stands before it is zero, never stale."""
        for ours, theirs in ((self.keys, like.keys), (self.values, like.values)):
            ours[row, :, : self.end - length] = 0
            ours[row, :, self.end - length : self.end] = theirs[0, :, -length:]

    def move_row(self, source: int, target: int) -> None:
        """Copy ``source`` over ``target``."""
        for ours in (self.keys, self.values):
            ours[target, :, : self.end] = ours[source, :, : self.end]


class PaddedCache:
    """The batch's cache and the length of each row. Rows are numbered 0 to ``len(lengths) - 1``."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.layers: list[PaddedLayer] = []
        self.cache: Cache | None = None
        self._capacity = (0, 0)
        self._start = 0
        self._end = 0

    def join(self, prefilled: DynamicCache, length: int) -> None:
        """Append a row that holds ``length`` tokens."""
        width = max([length, *self.lengths])
        rows = len(self.lengths) + 1
        if not self.layers:
            self._allocate(prefilled, width)
        if rows > self._capacity[0] or length > self._end:
            self._relocate(rows=rows, width=width)
        self.lengths.append(length)
        self._set_window()
        for layer, theirs in zip(self.layers, prefilled.layers, strict=True):
            layer.write_row(rows - 1, theirs, length)

    def leave(self, row: int) -> None:
        """Remove ``row``; the last row takes its number. An empty cache gives its memory back."""
        last = len(self.lengths) - 1
        if row != last:
            for layer in self.layers:
                layer.move_row(last, row)
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        if self.lengths:
            self._set_window()
        else:
            self.__init__()  # type: ignore[misc]  # back to nothing, tensors released

    def prepare_step(self) -> torch.Tensor:
        """Make room for one column and return the step's mask: int64, shape (rows, window + 1)."""
        if self._end + 1 > self._capacity[1]:
            self._relocate(rows=len(self.lengths), width=max(self.lengths))
        device = self.layers[0].keys.device
        columns = torch.arange(self._start, self._end + 1, device=device)
        first = torch.tensor([self._end - length for length in self.lengths], device=device)
        return (columns[None, :] >= first[:, None]).long()

    def finish_step(self) -> None:
        """Count the column that the step wrote."""
        self._end += 1
        self.lengths = [length + 1 for length in self.lengths]
        self._set_window()

    def _allocate(self, like: DynamicCache, width: int) -> None:
        self._capacity = (1, width + COLUMN_SLACK)
        self.layers = [PaddedLayer(layer, rows=1, columns=self._capacity[1]) for layer in like.layers]
        self.cache = Cache(layers=self.layers)
        self._end = width

    def _relocate(self, *, rows: int, width: int) -> None:
        """Room for at least ``rows`` and ``width`` columns; rows double, so that joining stays cheap."""
        capacity = self._capacity[0] if rows <= self._capacity[0] else max(rows, 2 * self._capacity[0])
        columns = width + max(COLUMN_SLACK, width // 4)
        for layer in self.layers:
            layer.relocate(rows=capacity, columns=columns, to=width)
        self._capacity = (capacity, columns)
        self._end = width
        self._set_window()

    def _set_window(self) -> None:
        self._start = self._end - max(self.lengths, default=0)
        for layer in self.layers:
            layer.rows, layer.start, layer.end = len(self.lengths), self._start, self._end


def _zeros_like(tensor: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    return tensor.new_zeros((rows, tensor.shape[1], columns, tensor.shape[3]))


def _moved(tensor: torch.Tensor, rows: int, columns: int, window: slice, to: int) -> torch.Tensor:
    target = _zeros_like(tensor, rows, columns)
    width = window.stop - window.start
    kept = min(tensor.shape[0], rows)
    target[:kept, :, to - width : to] = tensor[:kept, :, window]
    return target
