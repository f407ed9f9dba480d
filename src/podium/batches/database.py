"""Files, batches and results of lines as rows of one SQLite file. Blocking; safe to call from any thread."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from podium.batches.folder import FILE_MODE, Folder
from podium.core.transaction import transaction

BUSY_SECONDS = 10.0
_TABLES = """
CREATE TABLE IF NOT EXISTS files (
  place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, purpose TEXT NOT NULL,
  size_bytes INTEGER NOT NULL, expires_at INTEGER NOT NULL, record BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS files_of_tenant ON files (tenant, place);
CREATE TABLE IF NOT EXISTS batches (
  place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, input_file_id TEXT NOT NULL,
  ended_at INTEGER, record BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS batches_of_tenant ON batches (tenant, place);
CREATE INDEX IF NOT EXISTS open_batches ON batches (place) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS results (
  batch TEXT NOT NULL, number INTEGER NOT NULL, ok INTEGER NOT NULL, text BLOB NOT NULL,
  PRIMARY KEY (batch, number));
"""


class Database:
    """One connection, made with the file on first use; a statement at a time.

    In WAL mode with ``synchronous=NORMAL``: a killed process loses nothing that was committed, a machine without
    power may lose the last moments, which then are computed again.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Changes that happen together or not at all; others' changes wait."""
        with self._lock:
            connection = self._open()
            with transaction(connection):
                yield connection

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """What a query finds; nothing while there is no file."""
        if not self._folder.is_made:
            return []
        with self._lock:
            return self._open().execute(query, values).fetchall()

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._folder.make()
            with self._folder.alone():  # two that turn WAL on at once would refuse each other
                self._connection = _connect(self._folder)
        return self._connection


def _connect(folder: Folder) -> sqlite3.Connection:
    folder.database.touch(mode=FILE_MODE)  # SQLite gives its side files the same mode
    connection = sqlite3.connect(folder.database, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
    except BaseException:
        connection.close()
        raise
    return connection
