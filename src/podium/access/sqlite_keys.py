"""Keys in a SQLite file, for servers on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from podium.access import key_fields
from podium.access.key_fields import EPOCH, NUMBER, FieldReader
from podium.access.key_record import KeyRecord
from podium.access.key_store import KeySnapshot, StoreVersion, id_taken, no_such_key, store_away
from podium.access.overrides import OverrideKind
from podium.core.identity import Quotas
from podium.core.transaction import transaction

T = TypeVar("T")

FILE_MODE = 0o600  # its owner alone; SQLite gives its side files the same mode
BUSY_SECONDS = 5.0

_TABLE = "CREATE TABLE IF NOT EXISTS key_fields (field TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
_HAS_TABLE = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'key_fields'"
_PUT = "INSERT INTO key_fields VALUES (?, ?) ON CONFLICT (field) DO UPDATE SET value = excluded.value"
_PUT_NEW = "INSERT INTO key_fields VALUES (?, ?) ON CONFLICT (field) DO NOTHING"
_COUNT = "UPDATE key_fields SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE field = ?"


class SqliteKeyStore:
    """A store in the file ``path``, made by the first write and never by reading.

    All work is done in one thread of its own. A change by another process shows in ``PRAGMA data_version``
    without a look at any table; a file that was put in the place of another one is opened anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="key store")
        self._reader = FieldReader()
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._seen: tuple[int, StoreVersion | None] | None = None

    async def version(self) -> StoreVersion | None:
        """See ``KeySource``."""
        return await self._run(self._version)

    async def snapshot(self) -> KeySnapshot:
        """See ``KeySource``."""
        return await self._run(self._snapshot)

    async def add(self, record: KeyRecord) -> None:
        """See ``KeyStore``."""
        await self._run(lambda: self._write(lambda store: _add(store, record)))

    async def rotate(self, successor: KeyRecord, *, old_ends_at: float | None) -> None:
        """See ``KeyStore``."""

        def rotate(store: sqlite3.Connection) -> None:
            old = successor.rotated_from or ""
            _require(store, old)
            _add(store, successor)
            if old_ends_at is None:
                store.execute(_PUT_NEW, (key_fields.revoked_field(old), key_fields.time_text(successor.created_at)))
            else:
                store.execute(_PUT, (key_fields.expires_field(old), key_fields.time_text(old_ends_at)))

        await self._run(lambda: self._change(rotate))

    async def change_rights(self, record: KeyRecord) -> None:
        """See ``KeyStore``."""

        def change(store: sqlite3.Connection) -> None:
            _require(store, record.id)
            store.executemany(_PUT, key_fields.rights_of(record).items())

        await self._run(lambda: self._change(change))

    async def revoke(self, key_id: str, at: float) -> None:
        """See ``KeyStore``."""

        def revoke(store: sqlite3.Connection) -> None:
            _require(store, key_id)
            store.execute(_PUT_NEW, (key_fields.revoked_field(key_id), key_fields.time_text(at)))

        await self._run(lambda: self._change(revoke))

    async def set_override(self, kind: OverrideKind, name: str, quotas: Quotas | None) -> None:
        """See ``KeyStore``."""
        field = key_fields.override_field(kind, name)

        def put(store: sqlite3.Connection) -> None:
            if quotas is None:
                store.execute("DELETE FROM key_fields WHERE field = ?", (field,))
            else:
                store.execute(_PUT, (field, key_fields.quotas_text(quotas)))

        await self._run(lambda: self._write(put) if quotas is not None or self._readable() else None)

    async def aclose(self) -> None:
        """See ``KeySource``."""
        with contextlib.suppress(RuntimeError):  # closed before
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise store_away() from error

    # What follows runs in the thread.

    def _version(self) -> StoreVersion | None:
        connection = self._readable()
        if connection is None:
            return None
        (data_version,) = connection.execute("PRAGMA data_version").fetchone()
        if self._seen is None or self._seen[0] != data_version:
            fields = _fields(connection, "WHERE field IN ('epoch', 'number')")
            self._seen = data_version, key_fields.version_of(fields.get(EPOCH), fields.get(NUMBER))
        return self._seen[1]

    def _snapshot(self) -> KeySnapshot:
        connection = self._readable()
        return KeySnapshot() if connection is None else self._reader.snapshot(_fields(connection))

    def _readable(self) -> sqlite3.Connection | None:
        """The connection to the file that is there now; None while there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._close()
            return None
        if self._connection is None or self._opened != (found.st_dev, found.st_ino):
            self._close()
            self._connection, self._opened = self._connect(), (found.st_dev, found.st_ino)
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        address = f"file:{quote(str(self._path.absolute()))}?mode=rw"  # rw alone does not create
        return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    def _change(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """A write that needs something to be there."""
        if self._readable() is None:
            raise no_such_key()
        self._write(work)

    def _write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
        connection = self._readable()
        if connection is None:
            raise FileNotFoundError  # taken away at this very moment
        connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection):
            connection.execute(_TABLE)
            work(connection)
            connection.execute(_PUT_NEW, (EPOCH, key_fields.new_epoch().encode("ascii")))
            connection.execute(_PUT_NEW, (NUMBER, b"0"))
            connection.execute(_COUNT, (NUMBER,))
        self._seen = None  # one's own writes do not show in data_version

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._opened = self._seen = None


def _fields(connection: sqlite3.Connection, where: str = "") -> Mapping[str, bytes]:
    (has_table,) = connection.execute(_HAS_TABLE).fetchone()
    if not has_table:  # the file was made for something else
        return {}
    rows = connection.execute(f"SELECT field, CAST(value AS BLOB) FROM key_fields {where}")  # noqa: S608 - constants
    return {str(field): value for field, value in rows}


def _add(connection: sqlite3.Connection, record: KeyRecord) -> None:
    if _has(connection, record.id):
        raise id_taken()
    connection.executemany(_PUT, key_fields.fields_of(record).items())


def _require(connection: sqlite3.Connection, key_id: str) -> None:
    if not _has(connection, key_id):
        raise no_such_key()


def _has(connection: sqlite3.Connection, key_id: str) -> bool:
    found = connection.execute("SELECT 1 FROM key_fields WHERE field = ?", (key_fields.key_field(key_id),))
    return found.fetchone() is not None
