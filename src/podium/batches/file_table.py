"""Files as rows. Blocking. An expired file is none, whether its row is still there or not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence

import msgspec

from podium.batches.database import Database
from podium.core.batch import StoredFile
from podium.core.errors import InvalidRequest

_decode = msgspec.json.Decoder(StoredFile).decode
_PUT = "INSERT OR REPLACE INTO files (id, tenant, purpose, size_bytes, expires_at, record) VALUES (?, ?, ?, ?, ?, ?)"


class FileTable:
    """Every call sees its caller's tenant only; tenant None is everybody's. ``wall`` gives Unix seconds."""

    def __init__(self, database: Database, wall: Callable[[], float] = time.time) -> None:
        self._database = database
        self._wall = wall

    def find(self, tenant: str | None, file_id: str) -> StoredFile | None:
        """The file of that id."""
        rows = self._database.rows(
            "SELECT record FROM files WHERE id = ? AND expires_at > ? AND (? IS NULL OR tenant = ?)",
            (file_id, self._wall(), tenant, tenant),
        )
        return _decode(rows[0][0]) if rows else None

    def page(
        self, tenant: str, *, after: str | None, limit: int, newest_first: bool, purpose: str | None
    ) -> list[StoredFile]:
        """Up to ``limit`` files, those that come behind ``after``."""
        place = place_of(self._database, "files", tenant, after)
        beyond, order = ("place < ?", "DESC") if newest_first else ("place > ?", "ASC")
        start = place if place is not None else 2**62 if newest_first else 0
        rows = self._database.rows(
            f"SELECT record FROM files WHERE tenant = ? AND expires_at > ? AND (? IS NULL OR purpose = ?) AND {beyond} "  # noqa: S608 - constants
            f"ORDER BY place {order} LIMIT ?",
            (tenant, self._wall(), purpose, purpose, start, limit),
        )
        return [_decode(record) for (record,) in rows]

    def used_bytes(self, tenant: str) -> int:
        """Bytes of all files of a tenant."""
        rows = self._database.rows(
            "SELECT coalesce(sum(size_bytes), 0) FROM files WHERE tenant = ? AND expires_at > ?", (tenant, self._wall())
        )
        return int(rows[0][0]) if rows else 0

    def expired(self) -> list[str]:
        """Ids of rows whose time is over."""
        return [file_id for (file_id,) in self._database.rows(_EXPIRED, (self._wall(),))]

    def ids(self) -> list[str]:
        """Every id."""
        return [file_id for (file_id,) in self._database.rows("SELECT id FROM files")]


_EXPIRED = "SELECT id FROM files WHERE expires_at <= ?"


def put_file(store: sqlite3.Connection, file: StoredFile) -> None:
    """Write a file, in a transaction of the caller."""
    record = msgspec.json.encode(file)
    store.execute(_PUT, (file.id, file.tenant, file.purpose, file.size_bytes, file.expires_at, record))


def drop_files(store: sqlite3.Connection, file_ids: Sequence[str]) -> None:
    """Delete rows, in a transaction of the caller."""
    store.executemany("DELETE FROM files WHERE id = ?", [(file_id,) for file_id in file_ids])


def place_of(database: Database, table: str, tenant: str, row_id: str | None) -> int | None:
    """Where a page goes on. Raises ``InvalidRequest`` when ``row_id`` is none of the tenant's."""
    if row_id is None:
        return None
    rows = database.rows(f"SELECT place FROM {table} WHERE id = ? AND tenant = ?", (row_id, tenant))  # noqa: S608 - constants
    if not rows:
        raise InvalidRequest("`after` must be the id of the last one of the page before.", param="after")
    return int(rows[0][0])
