"""Hashes of files that were read before."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from podium.core.errors import CheckpointInvalid
from podium.models.file_hashes import sha256_file

FILE = "file-hashes.json"
MOST_FILES = 10_000
SETTLED_SECONDS = 2.0
"""A file younger than this may change again within the same time stamp; its hash is not kept."""


class _Known(msgspec.Struct, frozen=True):
    bytes: int
    modified_ns: int
    changed_ns: int
    inode: int
    sha256: str

    @classmethod
    def now(cls, path: Path, sha256: str = "") -> _Known:
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, sha256)


class HashMemo:
    """SHA-256 by path, believed while size, times of content and of inode, and inode number are the same.

    Kept in ``folder`` by ``save``; a missing, damaged or unwritable memo only costs reading files again. Who can
    write there can make one model's answers pass for another's, so it belongs to the server's user. Not
    thread-safe; of two processes that save at once, one loses what it learnt. ``clock`` is Unix seconds.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / FILE
        self._clock = clock
        self._learnt: dict[str, _Known] = {}
        self._known = self._read()

    def sha256(self, path: Path) -> str:
        """Hex digest of ``path``. Blocking. Raises ``OSError``, and ``CheckpointInvalid`` if it changes meanwhile."""
        name = os.fsencode(path.resolve()).decode("latin-1")  # a name may be any bytes
        before = _Known.now(path)
        known = self._known.get(name)
        if known is not None and known == msgspec.structs.replace(before, sha256=known.sha256):
            return known.sha256
        digest = sha256_file(path)
        if _Known.now(path) != before:
            raise CheckpointInvalid("A file of the model changed while it was read; load it when it is complete.")
        if self._clock() - before.changed_ns / 1e9 > SETTLED_SECONDS:
            self._learnt[name] = msgspec.structs.replace(before, sha256=digest)
        return digest

    def save(self) -> None:
        """Keep what was learnt, with what others have saved meanwhile. Never raises for a folder it cannot write."""
        if not self._learnt:
            return
        merged = self._read() | self._learnt
        newest = dict(list(merged.items())[-MOST_FILES:])
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, partial = tempfile.mkstemp(dir=self._path.parent, prefix=f".{FILE}-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.encode(newest))
                Path(partial).replace(self._path)
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise
        self._known = newest

    def _read(self) -> dict[str, _Known]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, _Known])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return {}
