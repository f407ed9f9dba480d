"""What the decoder of an encoder-decoder keeps of each row: its own keys and values, and those of what was read."""

from __future__ import annotations

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache

from podium.engine.adapters.transformers_cache import PaddedCache


class ReadRows:
    """Keys and values of the texts that the rows have read, padded at their ends to the longest.

    They are computed once for a row and never change; a row that joins or leaves copies them.
    """

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.layers: list[tuple[torch.Tensor, torch.Tensor]] = []

    def join(self, read: Cache, length: int) -> None:
        """Append a row that has read ``length`` tokens: shapes (1, heads, length, head dimension)."""
        width = max([length, *self.lengths])
        new = [(layer.keys, layer.values) for layer in read.layers]
        old = self.layers or [(None, None)] * len(new)
        self.layers = [
            (_appended(keys, more_keys, width), _appended(values, more_values, width))
            for (keys, values), (more_keys, more_values) in zip(old, new, strict=True)
        ]
        self.lengths.append(length)

    def leave(self, row: int) -> None:
        """Remove ``row``; the last row takes its number."""
        last = len(self.lengths) - 1
        order = [last if number == row else number for number in range(last)]
        self.lengths = [self.lengths[number] for number in order]
        width = max(self.lengths, default=0)
        kept = [(keys[order, :, :width], values[order, :, :width]) for keys, values in self.layers]
        self.layers = kept if order else []

    def mask(self) -> torch.Tensor:
        """1 where a row has a token: int64, shape (rows, longest)."""
        device = self.layers[0][0].device
        columns = torch.arange(self.layers[0][0].shape[2], device=device)
        return (columns[None, :] < torch.tensor(self.lengths, device=device)[:, None]).long()

    def cache(self) -> Cache:
        """For one step of the decoder, which changes nothing in it."""
        layers = []
        for keys, values in self.layers:
            layer = DynamicLayer()
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys, values
            layers.append(layer)
        return Cache(layers=layers)


class WrittenAndRead:
    """Both, for all rows; rows are numbered as in ``PaddedCache``."""

    def __init__(self) -> None:
        self.written = PaddedCache()
        self.read = ReadRows()
        self._both: EncoderDecoderCache | None = None

    @property
    def tokens(self) -> int:
        """Tokens held."""
        return sum(self.written.lengths) + sum(self.read.lengths)

    def join(self, row: EncoderDecoderCache, written: int, read: int) -> None:
        """Append a row."""
        self.written.join(row.self_attention_cache, written)
        self.read.join(row.cross_attention_cache, read)
        self._both = None

    def leave(self, row: int) -> None:
        """Remove a row; the last one takes its number."""
        self.written.leave(row)
        self.read.leave(row)
        self._both = None

    def both(self) -> EncoderDecoderCache:
        """What the decoder gets; call after ``written.prepare_step``."""
        if self._both is None:
            self._both = EncoderDecoderCache(self.written.cache, self.read.cache())
        return self._both


def empty_cache() -> EncoderDecoderCache:
    """For one row that begins."""
    return EncoderDecoderCache(DynamicCache(), DynamicCache())


def _appended(rows: torch.Tensor | None, row: torch.Tensor, width: int) -> torch.Tensor:
    count = 0 if rows is None else rows.shape[0]
    target = row.new_zeros((count + 1, row.shape[1], width, row.shape[3]))
    if rows is not None:
        target[:count, :, : min(rows.shape[2], width)] = rows[:, :, :width]
    target[count, :, : row.shape[2]] = row[0]
    return target
