"""Usage in SQLite: quarters of an hour, and requests that run. Used from one thread; may wait for the disk."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import psutil

from podium.access.ledger import Used
from podium.access.usage import HOUR_SECONDS, KEPT_SECONDS, Payer, Tally
from podium.access.windows import DAY, THIRTY_DAYS
from podium.core.standing import QuotaName, ScopeKind
from podium.core.transaction import transaction

FILE_MODE = 0o600  # its owner alone; SQLite gives its side files the same mode
BUSY_SECONDS = 2.0
QUARTER_SECONDS = 900
FINE_SECONDS = 2 * 86_400  # older quarters are put together as hours
QUARTERS_OF_AN_HOUR = 4
_QUARTERS_OF_A_LONG_SLOT = 24  # a slot of the 30 days' window
_SAME_PROCESS_SECONDS = 2.0

_QUARTERS = """
CREATE TABLE IF NOT EXISTS usage_quarters (
  quarter INTEGER, tenant TEXT, key_id TEXT, model TEXT,
  requests INTEGER NOT NULL, cached_requests INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, micro INTEGER NOT NULL,
  PRIMARY KEY (quarter, tenant, key_id, model)
) WITHOUT ROWID"""
_RUNNING_ONES = """
CREATE TABLE IF NOT EXISTS usage_running (
  id TEXT PRIMARY KEY, pid INTEGER NOT NULL, process_began REAL NOT NULL, at REAL NOT NULL,
  tenant TEXT NOT NULL, key_id TEXT NOT NULL, model TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, micro INTEGER NOT NULL
) WITHOUT ROWID"""
_ADDED = """
ON CONFLICT (quarter, tenant, key_id, model) DO UPDATE SET
  requests = requests + excluded.requests, cached_requests = cached_requests + excluded.cached_requests,
  prompt_tokens = prompt_tokens + excluded.prompt_tokens, output_tokens = output_tokens + excluded.output_tokens,
  micro = micro + excluded.micro"""
_ADD = "INSERT INTO usage_quarters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) " + _ADDED  # noqa: S608 - two constants
_RUNNING = "INSERT OR REPLACE INTO usage_running VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OVER = "DELETE FROM usage_running WHERE id = ?"
_COARSEN = (
    """
INSERT INTO usage_quarters SELECT quarter - quarter % 4, tenant, key_id, model,
  sum(requests), sum(cached_requests), sum(prompt_tokens), sum(output_tokens), sum(micro)
FROM usage_quarters WHERE quarter % 4 <> 0 AND quarter < ? GROUP BY 1, 2, 3, 4"""
    + _ADDED
)
_FINE_ONES = "DELETE FROM usage_quarters WHERE quarter % 4 <> 0 AND quarter < ?"
_OLD_ONES = "DELETE FROM usage_quarters WHERE quarter < ?"
_TALLIES = """
SELECT tenant, key_id, model,
  sum(requests), sum(cached_requests), sum(prompt_tokens), sum(output_tokens), sum(micro)
FROM usage_quarters WHERE quarter >= ? GROUP BY 1, 2, 3"""
_LAST_DAY = """
SELECT quarter, tenant, key_id, model, prompt_tokens + output_tokens, micro FROM usage_quarters WHERE quarter >= ?"""
_LAST_MONTH = """
SELECT quarter / 24, tenant, key_id, model, sum(micro) FROM usage_quarters WHERE quarter >= ?
GROUP BY 1, 2, 3, 4 HAVING sum(micro) > 0"""


class PastUse(msgspec.Struct, frozen=True):
    """What one key, tenant or model used of a quota's unit, at the latest ``age_seconds`` ago."""

    quota: QuotaName
    scope: ScopeKind
    name: str
    amount: int
    age_seconds: float


class UsageBatch:
    """What is to be written: additions by quarter and payer, progress and ends of requests that run."""

    def __init__(self) -> None:
        self.tallies: dict[tuple[int, Payer], Tally] = {}
        self.running: dict[str, tuple[Payer, Used]] = {}
        self.over: set[str] = set()

    def __len__(self) -> int:
        return len(self.tallies) + len(self.running) + len(self.over)

    def add(self, quarter: int, payer: Payer, tally: Tally) -> None:
        """Count ``tally``."""
        key = (quarter, payer)
        known = self.tallies.get(key)
        self.tallies[key] = tally if known is None else known.plus(tally)

    def put_back(self, newer: UsageBatch) -> None:
        """Take in what came after this one could not be written."""
        for (quarter, payer), tally in newer.tallies.items():
            self.add(quarter, payer, tally)
        self.over = (self.over - newer.running.keys()) | newer.over
        self.running = {**self.running, **newer.running}
        for request in newer.over:
            self.running.pop(request, None)


class UsageFile:
    """Tables in the SQLite file ``path``; in memory without one, until there is one.

    The file is made only when told to ``create`` it: it is that of the keys. Every method may raise
    ``sqlite3.Error`` or ``OSError``, and has then changed nothing.
    """

    def __init__(self, path: Path | None, *, create: bool = False, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._create = create
        self._wall = wall
        self._process = os.getpid(), psutil.Process().create_time()
        self._memory: sqlite3.Connection | None = None
        self._file: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._written: dict[str, tuple[Payer, Used]] = {}

    def write(self, batch: UsageBatch) -> None:
        """Add a batch, all of it or nothing."""
        store = self._store()
        with transaction(store):
            store.executemany(_ADD, (_row(*key, tally) for key, tally in batch.tallies.items()))
            at = self._wall()
            store.executemany(_RUNNING, (self._running_row(at, *item) for item in batch.running.items()))
            for request in batch.over:
                self._end(store, request)
        self._written.update(batch.running)
        for request in batch.over:
            self._written.pop(request, None)

    def tallies(self, first_quarter: int) -> list[tuple[Payer, Tally]]:
        """Use since the beginning of that quarter of an hour since 1970."""
        found = self._store().execute(_TALLIES, (first_quarter,))
        return [(Payer(tenant, key_id, model), Tally(*counts)) for tenant, key_id, model, *counts in found]

    def past_uses(self) -> list[PastUse]:
        """What counts in the windows of a day and of 30 days. Placed late rather than early."""
        store, now = self._store(), self._wall()
        quarter = int(now // QUARTER_SECONDS)
        sums: dict[tuple[QuotaName, ScopeKind, str, int], int] = defaultdict(int)
        for slot, *names, tokens, micro in store.execute(_LAST_DAY, (quarter - DAY.slots,)):
            for scope, name in _scopes(names):
                sums["tokens_per_day", scope, name, (slot + 1) * QUARTER_SECONDS] += tokens
                sums["budget_per_day", scope, name, (slot + 1) * QUARTER_SECONDS] += micro
        long_ago = quarter - THIRTY_DAYS.slots * _QUARTERS_OF_A_LONG_SLOT
        for slot, *names, micro in store.execute(_LAST_MONTH, (long_ago,)):
            for scope, name in _scopes(names):
                sums["budget_per_30_days", scope, name, int((slot + 1) * THIRTY_DAYS.slot_seconds)] += micro
        return [
            PastUse(quota, scope, name, amount, max(0.0, now - end))
            for (quota, scope, name, end), amount in sums.items()
            if amount > 0
        ]

    def clean_up(self) -> None:
        """End what processes that are gone left running; put old quarters together; forget what is too old."""
        store, now = self._store(), self._wall()
        fine = int((now - FINE_SECONDS) // HOUR_SECONDS) * QUARTERS_OF_AN_HOUR
        with transaction(store):
            self._end_orphans(store)
            store.execute(_COARSEN, (fine,))
            store.execute(_FINE_ONES, (fine,))
            store.execute(_OLD_ONES, (int((now - KEPT_SECONDS) // QUARTER_SECONDS),))

    def close(self) -> None:
        """Close it; what was in memory only is gone. Idempotent."""
        for connection in (self._file, self._memory):
            if connection is not None:
                connection.close()
        self._file = self._memory = self._opened = None

    def _store(self) -> sqlite3.Connection:
        """The file that is there now, else memory."""
        found = self._find()
        if found is None:
            self._close_file()
            if self._memory is None:
                self._memory = _prepared(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
            return self._memory
        if self._file is None or self._opened != found:
            self._close_file()
            self._file, self._opened = self._open(), found
        return self._file

    def _find(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        if self._create:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _open(self) -> sqlite3.Connection:
        assert self._path is not None  # noqa: S101 - this is a bug: without a path there is nothing to find
        address = f"file:{quote(str(self._path.absolute()))}?mode=rw"  # rw alone does not create
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepared(connection)
            self._move_in(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _move_in(self, store: sqlite3.Connection) -> None:
        """What was kept in memory while there was no file."""
        if self._memory is None:
            return
        with transaction(store):
            store.executemany(_ADD, self._memory.execute("SELECT * FROM usage_quarters"))
            store.executemany(_RUNNING, self._memory.execute("SELECT * FROM usage_running"))
        self._memory.close()
        self._memory = None

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._written.clear()
        self._file = self._opened = None

    def _running_row(self, at: float, request: str, progress: tuple[Payer, Used]) -> tuple[object, ...]:
        payer, used = progress
        who = (payer.tenant, payer.key_id, payer.model)
        return (request, *self._process, at, *who, used.prompt_tokens, used.output_tokens, used.micro)

    def _end(self, store: sqlite3.Connection, request: str) -> None:
        """A row that is gone was ended by a process that took this one for dead: what it added is taken back."""
        written = self._written.get(request)
        if store.execute(_OVER, (request,)).rowcount == 0 and written is not None:
            payer, used = written
            added = Tally(-1, 0, -used.prompt_tokens, -used.output_tokens, -used.micro)
            store.execute(_ADD, _row(int(self._wall() // QUARTER_SECONDS), payer, added))

    def _end_orphans(self, store: sqlite3.Connection) -> None:
        for pid, began in store.execute("SELECT DISTINCT pid, process_began FROM usage_running").fetchall():
            if (pid, began) == self._process or _lives(pid, began):
                continue
            rows = store.execute("SELECT * FROM usage_running WHERE pid = ? AND process_began = ?", (pid, began))
            for request, _, _, at, tenant, key_id, model, prompt, output, micro in rows.fetchall():
                tally = Tally(1, 0, prompt, output, micro)
                store.execute(_ADD, _row(int(at // QUARTER_SECONDS), Payer(tenant, key_id, model), tally))
                store.execute(_OVER, (request,))


def _row(quarter: int, payer: Payer, tally: Tally) -> tuple[object, ...]:
    return (quarter, *msgspec.structs.astuple(payer), *msgspec.structs.astuple(tally))


def _scopes(names: Iterable[str]) -> Iterator[tuple[ScopeKind, str]]:
    tenant, key_id, model = names
    yield "tenant", tenant
    yield "key", key_id
    yield "model", model


def _lives(pid: int, began: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - began) <= _SAME_PROCESS_SECONDS
    except psutil.Error:
        return False


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may take the last moments, never the file
    connection.execute(_QUARTERS)
    connection.execute(_RUNNING_ONES)
    return connection
