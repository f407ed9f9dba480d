"""Batches and the results of their lines as rows. Blocking."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from podium.batches.database import Database
from podium.batches.file_table import place_of, put_file
from podium.core.batch import Result, StoredBatch, StoredFile

_decode = msgspec.json.Decoder(StoredBatch).decode
_PIECE = 64
Change = Callable[[StoredBatch], StoredBatch]


class BatchTable:
    """Every call of a caller sees its tenant only; tenant None is everybody's. ``wall`` gives Unix seconds."""

    def __init__(self, database: Database, wall: Callable[[], float] = time.time) -> None:
        self._database = database
        self._wall = wall

    def find(self, tenant: str | None, batch_id: str) -> StoredBatch | None:
        """The batch of that id."""
        rows = self._database.rows(
            "SELECT record FROM batches WHERE id = ? AND (? IS NULL OR tenant = ?)", (batch_id, tenant, tenant)
        )
        return _decode(rows[0][0]) if rows else None

    def page(self, tenant: str, *, after: str | None, limit: int) -> list[StoredBatch]:
        """Up to ``limit`` batches, the newest first, those that come behind ``after``."""
        place = place_of(self._database, "batches", tenant, after)
        rows = self._database.rows(
            "SELECT record FROM batches WHERE tenant = ? AND place < ? ORDER BY place DESC LIMIT ?",
            (tenant, 2**62 if place is None else place, limit),
        )
        return [_decode(record) for (record,) in rows]

    def open(self) -> list[StoredBatch]:
        """Every batch that has not ended, the oldest first."""
        return [
            _decode(record)
            for (record,) in self._database.rows("SELECT record FROM batches WHERE ended_at IS NULL ORDER BY place")
        ]

    def change(self, batch_id: str, change: Change, *files: StoredFile) -> StoredBatch | None:
        """Apply ``change`` and add ``files``, together. None: there is no such batch.

        When it has ended then, its results are deleted: they are in its files.
        """
        with self._database.transaction() as store:
            batch = _read(store, batch_id)
            if batch is None:
                return None
            changed = change(batch)
            _write(store, changed, self._wall())
            for file in files:
                put_file(store, file)
            if changed.ended:
                store.execute("DELETE FROM results WHERE batch = ?", (batch_id,))
            return changed

    def record(self, batch_id: str, result: Result) -> None:
        """Keep the result of a line and count it; a line that has one already keeps it."""
        with self._database.transaction() as store:
            added = store.execute(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)",
                (batch_id, result.number, result.ok, result.text),
            )
            batch = _read(store, batch_id)
            if added.rowcount and batch is not None:
                counted = {"completed": batch.completed + result.ok, "failed": batch.failed + (not result.ok)}
                _write(store, msgspec.structs.replace(batch, **counted), self._wall())

    def done(self, batch_id: str) -> set[int]:
        """Numbers of the lines that have a result."""
        return {number for (number,) in self._database.rows("SELECT number FROM results WHERE batch = ?", (batch_id,))}

    def results(self, batch_id: str) -> Iterator[Result]:
        """All results in the order of the lines; a few at a time are in memory."""
        number = -1
        while rows := self._database.rows(
            "SELECT number, ok, text FROM results WHERE batch = ? AND number > ? ORDER BY number LIMIT ?",
            (batch_id, number, _PIECE),
        ):
            for number, ok, text in rows:
                yield Result(number, bool(ok), text)

    def ids(self) -> list[str]:
        """Every id."""
        return [one for (one,) in self._database.rows("SELECT id FROM batches")]

    def ended_before(self, moment: float) -> list[str]:
        """Ids of batches that ended before then."""
        return [one for (one,) in self._database.rows("SELECT id FROM batches WHERE ended_at < ?", (moment,))]


def add_batch(store: sqlite3.Connection, batch: StoredBatch) -> None:
    """Write a new batch, in a transaction of the caller."""
    store.execute(
        "INSERT INTO batches (id, tenant, input_file_id, record) VALUES (?, ?, ?, ?)",
        (batch.id, batch.tenant, batch.order.input_file_id, msgspec.json.encode(batch)),
    )


def count_open(store: sqlite3.Connection, tenant: str) -> int:
    """Batches of a tenant that have not ended."""
    found = store.execute("SELECT count(*) FROM batches WHERE tenant = ? AND ended_at IS NULL", (tenant,))
    return int(found.fetchone()[0])


def is_being_read(store: sqlite3.Connection, file_id: str) -> bool:
    """Whether a batch that has not ended needs the file."""
    found = store.execute("SELECT 1 FROM batches WHERE input_file_id = ? AND ended_at IS NULL", (file_id,))
    return found.fetchone() is not None


def drop_batches(store: sqlite3.Connection, batch_ids: Sequence[str]) -> None:
    """Delete rows, in a transaction of the caller."""
    store.executemany("DELETE FROM batches WHERE id = ?", [(batch_id,) for batch_id in batch_ids])


def _read(store: sqlite3.Connection, batch_id: str) -> StoredBatch | None:
    row = store.execute("SELECT record FROM batches WHERE id = ?", (batch_id,)).fetchone()
    return None if row is None else _decode(row[0])


def _write(store: sqlite3.Connection, batch: StoredBatch, now: float) -> None:
    ended_at = int(now) if batch.ended else None
    store.execute(
        "UPDATE batches SET record = ?, ended_at = ? WHERE id = ?", (msgspec.json.encode(batch), ended_at, batch.id)
    )
