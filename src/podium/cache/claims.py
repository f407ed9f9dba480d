"""Who computes the answer of an idempotency key, when the same one reaches several replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, Self

from podium.aio import tasks
from podium.cache.generations import public_name
from podium.cache.key import CacheKey
from podium.cache.redis_writer import WRITE_SECONDS, RedisWriter
from podium.store.link import StoreCalls, StoreUnavailable

LEASE_SECONDS = 30.0
RENEWALS = 3  # in one lease: two may fail


class Claims(Protocol):
    """Exclusive rights to compute. Entering the context starts it; leaving ends its task."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def claim(self, key: CacheKey) -> bool:
        """Whether nobody has ``key``; then this process has it until ``release``, or for a lease after its death.

        True as well when the store that knows does not answer: then two replicas may compute the same.
        Never raises. When cancelled, the key may stay claimed for one lease.
        """

    def release(self, key: CacheKey) -> None:
        """Let others have it, after every write that was begun before. No-op where not held. Never waits."""


class MemoryClaims:
    """Claims within one process."""

    def __init__(self) -> None:
        self._held: set[bytes] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._held.clear()

    async def claim(self, key: CacheKey) -> bool:
        """See ``Claims``."""
        if key.digest in self._held:
            return False
        self._held.add(key.digest)
        return True

    def release(self, key: CacheKey) -> None:
        """See ``Claims``."""
        self._held.discard(key.digest)


class RedisClaims:
    """Claims of all replicas: a name in Redis that lives for ``lease_seconds`` and is renewed while it is held.

    A name is only deleted or prolonged while the lease that was taken cannot have ended, by this process's
    clock: then it is still this process's, and no script has to compare owners. ``clock`` is monotonic seconds.
    """

    def __init__(
        self,
        calls: StoreCalls,
        writer: RedisWriter,
        *,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._writer = writer
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._ends: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = tasks.start(self._keep_renewing(), name="idempotency claims")
        return self

    async def __aexit__(self, *_: object) -> None:
        task, self._task = self._task, None
        await tasks.stop(task)

    async def claim(self, key: CacheKey) -> bool:
        """See ``Claims``."""
        name = self._name(key)
        ends = self._clock() + self._lease_seconds
        try:
            answer = await self._calls.call("SET", name, "", "NX", "PX", self._lease_ms)
        except StoreUnavailable:
            return True
        if answer is None:
            return False
        self._ends[name] = ends
        return True

    def release(self, key: CacheKey) -> None:
        """See ``Claims``. Where the write has no room, the lease ends by itself."""
        name = self._name(key)
        ends = self._ends.pop(name, None)
        if ends is None:
            return

        async def delete() -> None:
            if self._clock() + WRITE_SECONDS < ends:
                await self._calls.call("UNLINK", name, seconds=WRITE_SECONDS)

        self._writer.submit(delete)

    async def renew(self) -> None:
        """Prolong every claim that is held; one that is lost is forgotten. Never raises."""
        now = self._clock()
        held = [name for name, ends in self._ends.items() if now + WRITE_SECONDS < ends]
        try:
            answers = await self._calls.calls(
                [("PEXPIRE", name, self._lease_ms) for name in held], seconds=WRITE_SECONDS
            )
        except StoreUnavailable:
            return
        for name, answer in zip(held, answers, strict=True):
            if name not in self._ends:
                continue  # released meanwhile
            if answer:
                self._ends[name] = now + self._lease_seconds
            else:
                del self._ends[name]

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / RENEWALS)
            if self._ends:
                await self.renew()

    @property
    def _lease_ms(self) -> int:
        return int(1000 * self._lease_seconds)

    def _name(self, key: CacheKey) -> str:
        return f"{self._calls.prefix}:cache:claim:{public_name('tenant', key.tenant)}:{key.text}"
