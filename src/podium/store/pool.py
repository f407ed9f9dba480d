"""The connections of one process, at most so many, opened when they are needed."""

from __future__ import annotations

import asyncio
from collections import deque

from podium.aio import tasks
from podium.store.address import Address
from podium.store.connection import Connection, open_connection
from podium.store.patience import Patience


class Pool:
    """Lends connections, the one last used first.

    Opening is no caller's work: who gives up waiting leaves it to the others, so that a
    connection that takes longer to open than a call may last is still of use. ``answered`` counts answered calls.
    """

    def __init__(self, address: Address, *, most: int, connect_seconds: float) -> None:
        self.answered = 0
        self._address = address
        self._most = most
        self._connect_seconds = connect_seconds
        self._idle: list[Connection] = []
        self._living: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiters: deque[asyncio.Future[Connection]] = deque()
        self._is_closed = False

    def drop_idle(self) -> None:
        """Close what nobody uses: the server, or the way to it, may have gone without a word."""
        for connection in tuple(self._idle):
            connection.close()

    async def aclose(self) -> None:
        """Close every connection; calls under way and later ones fail. Idempotent."""
        self._is_closed = True
        await tasks.stop(*self._opening)
        self._fail_waiters(ConnectionResetError("it was closed"))
        living = tuple(self._living)
        for connection in living:
            connection.close()
        for connection in living:
            await connection.lost.wait()

    async def take(self) -> Connection:
        """A connection to make one call on, then to ``put_back``. Waits without a limit of its own.

        Raises ``OSError`` or ``ValueError`` when none can be opened. Cancelled, it leaves its connection to others.
        """
        if self._is_closed:
            raise ConnectionResetError("it was closed")
        if self._idle:
            return self._idle.pop()
        waiter: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._open_more()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:
                self._lend(waiter.result())
            raise

    def put_back(self, connection: Connection) -> None:
        """The call is over. Unless it was answered the connection was closed, and nobody gets it."""
        if connection.is_usable:
            self.answered += 1
            self._lend(connection)

    def _lend(self, connection: Connection) -> None:
        """To the first who waits, else it is idle."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def _open_more(self) -> None:
        if len(self._opening) < len(self._waiters) and len(self._living) + len(self._opening) < self._most:
            task = tasks.start(self._open(), name="connection to the store")
            self._opening.add(task)
            task.add_done_callback(self._after_opening)

    async def _open(self) -> None:
        try:
            async with Patience(self._connect_seconds):
                connection = await open_connection(self._address, self._forget)
        except (OSError, ValueError) as error:  # a time-out is an OSError, garbage or an impossible name a ValueError
            self._fail_waiters(error)
            return
        self._living.add(connection)
        self._lend(connection)

    def _after_opening(self, task: asyncio.Task[None]) -> None:
        """Who began to wait while a failed opening was ending, gets an opening of its own."""
        self._opening.discard(task)
        if not self._is_closed:
            self._open_more()

    def _forget(self, connection: Connection) -> None:
        if connection not in self._living:
            return  # it never was let in
        self._living.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._is_closed:
            self._open_more()

    def _fail_waiters(self, error: Exception) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(error)
