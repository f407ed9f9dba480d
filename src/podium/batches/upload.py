"""A file while it arrives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

from podium.core.batch import StoredFile
from podium.core.errors import PayloadTooLarge

Work = Callable[..., Awaitable[Any]]
Store = Callable[[Path, int, str, int | None], StoredFile]


class Upload:
    """Bytes on their way to the disk; ``close`` it in any case.

    ``work`` runs what waits for the disk, ``store`` makes a whole file from path, size, name and seconds. ``grow`` is
    told of bytes that come and (below 0) of those that count no longer; it raises when the tenant may have no more.
    """

    def __init__(
        self, path: Path, file: BinaryIO, *, most_bytes: int, work: Work, store: Store, grow: Callable[[int], None]
    ) -> None:
        self._path = path
        self._file = file
        self._most_bytes = most_bytes
        self._work = work
        self._store = store
        self._grow = grow
        self._size_bytes = 0

    async def write(self, data: bytes) -> None:
        """Append. Raises ``PayloadTooLarge``, and ``QuotaExhausted`` when the tenant may have no more."""
        self._size_bytes += len(data)
        self._grow(len(data))
        if self._size_bytes > self._most_bytes:
            raise PayloadTooLarge(f"The file is too large. At most {self._most_bytes} bytes are allowed.", param="file")
        await self._work(self._file.write, data)

    async def keep(self, filename: str, *, keep_seconds: int | None = None) -> StoredFile:
        """What arrived is the whole file. Raises ``QuotaExhausted`` when the tenant may have no more."""
        await self._work(self._file.close)
        file: StoredFile = await self._work(self._store, self._path, self._size_bytes, filename, keep_seconds)
        return file

    async def close(self) -> None:
        """Throw away what was not kept."""
        size_bytes, self._size_bytes = self._size_bytes, 0
        try:
            await self._work(self._discard)
        finally:
            self._grow(-size_bytes)

    def _discard(self) -> None:
        try:
            self._file.close()  # writes what it still holds: a full disk says so here too
        finally:
            self._path.unlink(missing_ok=True)
