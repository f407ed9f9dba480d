"""The folder that servers of one machine share: contents of files, uploads under way, locks, and the database."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from podium.core.ids import new_id

FOLDER_MODE = 0o700
FILE_MODE = 0o600
ORPHAN_SECONDS = 3600.0
_ALONE = "folder"


class Lock:
    """A batch in the hands of one process. The kernel gives it back when the process ends, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it; once."""
        os.close(self._descriptor)


class Folder:
    """Paths below one folder, all from names made here; ``make`` makes it on first use. Blocking."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.database = self.path / "batches.db"
        self._contents = self.path / "files"
        self._arriving = self.path / "arriving"
        self._locks = self.path / "locks"

    @property
    def is_made(self) -> bool:
        """Whether anything was ever kept here."""
        return self.database.exists()

    def make(self) -> None:
        """Make what is missing, for its owner alone."""
        self.path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        for below in (self._contents, self._arriving, self._locks):
            below.mkdir(mode=FOLDER_MODE, exist_ok=True)

    def content(self, file_id: str) -> Path:
        """Where the content of a file is."""
        return self._contents / file_id

    def arriving(self) -> tuple[Path, BinaryIO]:
        """A new file for bytes that arrive; it is nobody's until ``keep`` gives it a name."""
        path = self._arriving / new_id("part")
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
        return path, os.fdopen(descriptor, "wb")

    def keep(self, arrived: Path, file_id: str) -> None:
        """Make a whole, closed file the content of ``file_id``, in one step, in place of one that was there."""
        with arrived.open("rb") as written:
            os.fsync(written.fileno())
        arrived.replace(self.content(file_id))

    def discard(self, file_id: str) -> None:
        """Remove a content; who reads it now reads on."""
        self.content(file_id).unlink(missing_ok=True)

    def lock(self, batch_id: str) -> Lock | None:
        """The batch for this process alone; None while somebody else has it."""
        descriptor = os.open(self._locks / batch_id, os.O_CREAT | os.O_RDWR, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return Lock(descriptor)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else is in here, in any process; waits."""
        descriptor = os.open(self._locks / _ALONE, os.O_CREAT | os.O_RDWR, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def clear(self, files: Iterable[str], batches: Iterable[str]) -> None:
        """Remove what killed processes left: it is an hour old, and of none of these ``files`` and ``batches``."""
        self._clear_below(self._arriving, set())
        self._clear_below(self._contents, set(files))
        self._clear_below(self._locks, {_ALONE, *batches})

    def _clear_below(self, folder: Path, kept: set[str]) -> None:
        before = time.time() - ORPHAN_SECONDS
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.name not in kept and path.stat().st_mtime < before:
                    path.unlink()
