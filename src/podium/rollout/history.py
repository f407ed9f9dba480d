"""What happened, kept so that nothing can be lost, changed or invented unnoticed.

An SQLite file (WAL, synchronous=FULL) of events, each with the hash of the one before. The state is what replaying
them gives; a controller that was killed goes on from there. One writer at a time, by a lock on a file beside it that
the system releases when its holder dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from podium.core.errors import Conflict
from podium.rollout.events import Event
from podium.rollout.state import RolloutState
from podium.rollout.transitions import after

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    actor TEXT NOT NULL,
    payload BLOB NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL UNIQUE
) STRICT;
CREATE TRIGGER IF NOT EXISTS events_are_kept BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS events_are_fixed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""
_FIRST = bytes(32)
_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Entry(msgspec.Struct, frozen=True):
    """One event as it is kept. ``hash`` covers number, actor, payload and ``previous``, the hash before it."""

    seq: int
    actor: str
    payload: bytes
    previous: bytes
    hash: bytes

    @property
    def event(self) -> Event:
        """What happened.

        Raises:
            msgspec.ValidationError: the payload is no event that this version knows.
        """
        return _DECODER.decode(self.payload)


class History:
    """The only writer of a file. ``state`` is where the rollout stands after every event in it.

    Leaving the context, or the process's death, frees the file for the next writer; nothing that ``append`` returned
    from is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: IO[bytes] | None = None
        self._connection: sqlite3.Connection | None = None
        self._last = _FIRST
        self._count = 0
        self.state = RolloutState()

    def __enter__(self) -> Self:
        """Take the lock, check the whole chain and replay it.

        Raises:
            Conflict: another process writes, or the chain is broken; nothing was changed.
        """
        self._lock = _locked(self._path)
        try:
            self._connection = _connected(self._path)
            self._replay(self._connection)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file and free it."""
        self._close()

    def append(self, event: Event, *, actor: str) -> RolloutState:
        """Write one event, on disk when this returns, and give the state after it.

        Raises:
            Conflict: the event cannot happen now; nothing was written.
        """
        assert self._connection is not None, "this is a bug: the history is not open"  # noqa: S101
        state = after(self.state, event)
        entry = _entry(self._count + 1, actor, _ENCODER.encode(event), self._last)
        with self._connection:  # one transaction
            self._connection.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                (entry.seq, entry.actor, entry.payload, entry.previous, entry.hash),
            )
        self._last, self._count, self.state = entry.hash, entry.seq, state
        return state

    def _replay(self, connection: sqlite3.Connection) -> None:
        problems = list(_problems(connection))
        if problems:
            raise Conflict(f"{self._path.name}: {problems[0]}; keep the file, and start with another one")
        for entry in _entries(connection):
            self.state = after(self.state, entry.event)
            self._last, self._count = entry.hash, entry.seq

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._lock is not None:
            self._lock.close()
        self._connection = self._lock = None


def read(path: Path) -> list[Entry]:
    """Every event, oldest first; also while another process writes."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return list(_entries(connection))
    finally:
        connection.close()


def verify(path: Path) -> list[str]:
    """What is wrong with a file: numbers that are missing, hashes that do not fit, events that cannot have happened.

    Changes that rewrite every later hash are found only by comparing the last hash with one noted elsewhere.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return list(_problems(connection))
    finally:
        connection.close()


def _problems(connection: sqlite3.Connection) -> Iterator[str]:
    """The first break of the chain, or the first event that does not follow; what comes after either means nothing."""
    previous, state = _FIRST, RolloutState()
    for number, entry in enumerate(_entries(connection), start=1):
        if entry.seq != number:
            yield f"event {number} is missing"
            return
        if entry != _entry(number, entry.actor, entry.payload, previous):
            yield f"event {number} was changed: its hash does not fit"
            return
        try:
            state = after(state, entry.event)
        except (Conflict, msgspec.ValidationError) as error:
            yield f"event {number} cannot have happened: {error}"
            return
        previous = entry.hash


def _entry(seq: int, actor: str, payload: bytes, previous: bytes) -> Entry:
    covered = _ENCODER.encode([seq, actor, payload, previous])
    return Entry(seq, actor, payload, previous, hashlib.sha256(covered).digest())


def _entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    for row in connection.execute("SELECT seq, actor, payload, previous, hash FROM events ORDER BY seq"):
        yield Entry(*row)


def _locked(path: Path) -> IO[bytes]:
    file = path.with_name(f"{path.name}.lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Conflict(f"{path.name} has a writer already; one controller at a time") from error
    return file


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(_SCHEMA)
    return connection
