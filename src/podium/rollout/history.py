"""What happened, kept so that nothing can be lost, changed or invented unnoticed.

An SQLite file (WAL, synchronous=FULL) of events, and of the intervals that were counted between them, each with the
hash of the one before. The course is what replaying both gives; a controller that was killed goes on from there. One
writer at a time, by a lock on a file beside it that the system releases when its holder dies.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from podium.core.errors import Conflict, Unavailable
from podium.rollout.chain import ENCODER, FIRST, SCHEMA, digest
from podium.rollout.course import Course, Observed
from podium.rollout.events import Event
from podium.rollout.state import Phase, RolloutState

_EVENTS: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_INTERVALS = msgspec.json.Decoder(Observed)
_OTHER = "keep the file, and start with another one (rollout.history_file)"
_REASONS = {sqlite3.SQLITE_FULL: "its disk is full", sqlite3.SQLITE_BUSY: "another program holds it"}
_COLUMNS = {"events": "seq, actor, payload, previous, hash", "intervals": "seq, after_event, payload, previous, hash"}


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
        return _EVENTS.decode(self.payload)


class IntervalEntry(msgspec.Struct, frozen=True):
    """One interval as it is kept. ``after_event``: how many events there were then; the rest as in ``Entry``."""

    seq: int
    after_event: int
    payload: bytes
    previous: bytes
    hash: bytes

    @property
    def observed(self) -> Observed:
        """What was counted. Raises ``msgspec.ValidationError`` for a payload that this version does not know."""
        return _INTERVALS.decode(self.payload)


class Told(msgspec.Struct, frozen=True):
    """An event of the log, in which rollout it happened, and the phase that followed."""

    entry: Entry
    rollout: int
    phase: Phase


class History:
    """The only writer of a file. ``course`` is where rollouts stand after everything in it, ``log`` its events.

    Leaving the context, or the process's death, frees the file for the next writer; nothing that ``append`` or
    ``observe`` returned from is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: IO[bytes] | None = None
        self._connection: sqlite3.Connection | None = None
        self._last = FIRST
        self._last_interval = FIRST
        self._intervals = 0
        self.course = Course()
        self.log: list[Told] = []

    def __enter__(self) -> Self:
        """Take the lock, check the whole chain and replay it.

        Raises:
            Conflict: another process writes, the chain is broken, or the file is none of ours; nothing was changed.
        """
        self._lock = _locked(self._path)
        try:
            self._connection = _connected(self._path)
            self._replay(self._connection)
        except sqlite3.OperationalError as error:
            self._close()
            raise Conflict(f"{self._path.name} cannot be opened: its disk may be full, or not be ours") from error
        except sqlite3.DatabaseError as error:
            self._close()
            raise Conflict(f"{self._path.name} cannot be read as a history; {_OTHER}") from error
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file and free it."""
        self._close()

    @property
    def state(self) -> RolloutState:
        """Where the present rollout stands."""
        return self.course.state

    def append(self, event: Event, *, actor: str) -> RolloutState:
        """Write one event, on disk when this returns, and give the state after it.

        Raises:
            Conflict: the event cannot happen now; nothing was written.
            Unavailable: the disk takes nothing; nothing was written.
        """
        course = self.course.after(event)
        entry = _entry(len(self.log) + 1, actor, ENCODER.encode(event), self._last)
        self._insert("events", entry)
        self._take(entry, course)
        return course.state

    def observe(self, observed: Observed) -> Course:
        """Write one closed interval, on disk when this returns, and give the course after it.

        Raises:
            Unavailable: as ``append``.
        """
        course = self.course.observe(observed)
        payload = ENCODER.encode(observed)
        entry = _interval_entry(self._intervals + 1, len(self.log), payload, self._last_interval)
        self._insert("intervals", entry)
        self._intervals, self._last_interval, self.course = entry.seq, entry.hash, course
        return course

    def _insert(self, table: str, entry: Entry | IntervalEntry) -> None:
        assert self._connection is not None, "this is a bug: the history is not open"  # noqa: S101
        try:
            with self._connection:  # one transaction
                self._connection.execute(
                    f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - one of two names of our own
                    msgspec.structs.astuple(entry),
                )
        except sqlite3.OperationalError as error:
            why = _REASONS.get(error.sqlite_errorcode, "its disk fails")
            raise Unavailable(f"{self._path.name} cannot be written: {why}. Mend that, and try again.") from error

    def _take(self, entry: Entry, course: Course) -> None:
        self._last, self.course = entry.hash, course
        self.log.append(Told(entry, course.state.number, course.state.phase))

    def _replay(self, connection: sqlite3.Connection) -> None:
        for step in _steps(connection):
            if isinstance(step, str):
                raise Conflict(f"{self._path.name}: {step}; {_OTHER}")
            entry, course = step
            if isinstance(entry, Entry):
                self._take(entry, course)
            else:
                self._intervals, self._last_interval, self.course = entry.seq, entry.hash, course

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


def read_intervals(path: Path) -> list[IntervalEntry]:
    """Every interval, oldest first; also while another process writes."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return list(_interval_entries(connection))
    finally:
        connection.close()


def verify(path: Path) -> list[str]:
    """What is wrong with a file: numbers that are missing, hashes that do not fit, events that cannot have happened.

    Changes that rewrite every later hash are found only by comparing the last hash with one noted elsewhere.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return [step for step in _steps(connection) if isinstance(step, str)]
    finally:
        connection.close()


_Step = tuple[Entry | IntervalEntry, Course]


def _steps(connection: sqlite3.Connection) -> Iterator[_Step | str]:
    """Everything in its order, with the course after it; at last the first thing that does not fit, if any does not.

    What comes after a break means nothing.
    """
    course, intervals = Course(), _Chained(_interval_entries(connection))
    previous = FIRST
    number = 0
    for number, entry in enumerate(_entries(connection), start=1):
        for counted in intervals.until(number - 1):
            if isinstance(counted, str):
                yield counted
                return
            course = course.observe(counted.observed)
            yield counted, course
        wrong = _wrong(number, entry, previous)
        if wrong is None:
            try:
                course = course.after(entry.event)
            except (Conflict, msgspec.ValidationError) as error:
                wrong = f"event {number} cannot have happened: {error}"
        if wrong is not None:
            yield wrong
            return
        previous = entry.hash
        yield entry, course
    for counted in intervals.until(number):
        if isinstance(counted, str):
            yield counted
            return
        course = course.observe(counted.observed)
        yield counted, course


def _wrong(number: int, entry: Entry, previous: bytes) -> str | None:
    if entry.seq != number:
        return f"event {number} is missing"
    if entry != _entry(number, entry.actor, entry.payload, previous):
        return f"event {number} was changed: its hash does not fit"
    return None


class _Chained:
    """Intervals in their order, checked one after the other."""

    def __init__(self, entries: Iterator[IntervalEntry]) -> None:
        self._entries = entries
        self._next = next(entries, None)
        self._number = 1
        self._previous = FIRST

    def until(self, event: int) -> Iterator[IntervalEntry | str]:
        """Those that were counted before event ``event + 1`` was written; a text instead of one that does not fit."""
        while self._next is not None and self._next.after_event <= event:
            entry = self._next
            if entry.seq != self._number:
                yield f"interval {self._number} is missing"
                return
            if entry != _interval_entry(entry.seq, entry.after_event, entry.payload, self._previous):
                yield f"interval {self._number} was changed: its hash does not fit"
                return
            if not _is_known(entry):
                yield f"interval {self._number} is of another version"
                return
            yield entry
            self._next, self._number, self._previous = next(self._entries, None), self._number + 1, entry.hash


def _is_known(entry: IntervalEntry) -> bool:
    try:
        return entry.observed is not None
    except msgspec.ValidationError:
        return False


def _entry(seq: int, actor: str, payload: bytes, previous: bytes) -> Entry:
    return Entry(seq, actor, payload, previous, digest(seq, actor, payload, previous))


def _interval_entry(seq: int, after_event: int, payload: bytes, previous: bytes) -> IntervalEntry:
    return IntervalEntry(seq, after_event, payload, previous, digest(seq, after_event, payload, previous))


def _entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    for row in connection.execute(f"SELECT {_COLUMNS['events']} FROM events ORDER BY seq"):  # noqa: S608 - constant
        yield Entry(*row)


def _interval_entries(connection: sqlite3.Connection) -> Iterator[IntervalEntry]:
    """None in a file from before intervals were kept."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'intervals'").fetchone():
        return
    rows = connection.execute(f"SELECT {_COLUMNS['intervals']} FROM intervals ORDER BY seq")  # noqa: S608 - constant
    for row in rows:
        yield IntervalEntry(*row)


def _locked(path: Path) -> IO[bytes]:
    try:
        file = path.with_name(f"{path.name}.lock").open("ab")
    except OSError as error:
        raise Conflict(f"{path.name} cannot be made: {error.strerror}; set rollout.history_file") from error
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
    connection.executescript(SCHEMA)
    return connection
