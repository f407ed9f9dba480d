"""Looking through the answers that Redis keeps: how many of which model, and removing them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from podium.cache.entry_store import Held
from podium.cache.generations import public_name
from podium.cache.key import CacheKey
from podium.cache.redis_writer import WRITE_SECONDS
from podium.cache.sealed import HEAD_BYTES, model_of
from podium.store.link import StoreCalls, StoreUnavailable

SCAN_SECONDS = 2.0
SCAN_COUNT = 1000  # about 0.2 ms of Redis' time for one call
_OF_ANY_MODEL = "-"


def entry_name(prefix: str, key: CacheKey) -> str:
    """Where the answer of ``key`` is. Tenant and model are digests; ``-`` where the key does not say its model."""
    model = _OF_ANY_MODEL if key.kind == "retry" else public_name("model", key.model)
    return f"{prefix}:cache:entry:{public_name('tenant', key.tenant)}:{model}:{key.text}"


class RedisSurvey:
    """Walks over all names with SCAN, for two seconds at most; what a walk does not reach, it leaves out.

    For administrators' requests, not for callers': a walk costs Redis' time in proportion to all of its keys,
    in steps short enough not to be felt by others.
    """

    def __init__(self, calls: StoreCalls, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._clock = clock

    async def held(self) -> Mapping[str, Held]:
        """Answers and their bytes by model, of every replica. Never raises; tells what it got to know."""
        held: dict[str, Held] = {}
        try:
            async for names in self._walk("*", "*"):
                for model, memory_bytes in await self._look_at(names):
                    held[model] = held.get(model, Held()).plus(memory_bytes)
        except StoreUnavailable:
            return held
        return held

    async def remove(self, *, model: str | None, tenant: str | None) -> int:
        """Remove the answers of a model, a tenant, both, or all; how many. Never raises."""
        removed = 0
        tenants = "*" if tenant is None else public_name("tenant", tenant)
        models = ["*"] if model is None else [public_name("model", model), _OF_ANY_MODEL]
        try:
            for pattern in models:
                async for names in self._walk(tenants, pattern):
                    wanted = names if model is None else await self._of_model(names, model)
                    removed += await self._unlink(wanted)
        except StoreUnavailable:
            return removed
        return removed

    async def _unlink(self, names: Sequence[bytes]) -> int:
        if not names:
            return 0
        answer = await self._calls.call("UNLINK", *names, seconds=WRITE_SECONDS)
        return answer if isinstance(answer, int) else 0

    async def _of_model(self, names: Sequence[bytes], model: str) -> list[bytes]:
        looks = await self._look_at(names)
        return [name for name, (found, _) in zip(names, looks, strict=True) if found == model]

    async def _look_at(self, names: Sequence[bytes]) -> list[tuple[str, int]]:
        """Model and bytes of each value; no model where it is not a sealed answer."""
        if not names:
            return []
        commands = [command for name in names for command in (("GETRANGE", name, 0, HEAD_BYTES), ("STRLEN", name))]
        answers = await self._calls.calls(commands, seconds=WRITE_SECONDS)
        return [
            ((model_of(head) or "") if isinstance(head, bytes) else "", size if isinstance(size, int) else 0)
            for head, size in zip(answers[::2], answers[1::2], strict=True)
        ]

    async def _walk(self, tenant: str, model: str) -> AsyncIterator[list[bytes]]:
        end = self._clock() + SCAN_SECONDS
        pattern = f"{_literal(self._calls.prefix)}:cache:entry:{tenant}:{model}:*"
        cursor = 0
        while self._clock() < end:
            cursor, names = await self._scan(cursor, pattern)
            yield names
            if cursor == 0:
                return
            await asyncio.sleep(0)  # requests first

    async def _scan(self, cursor: int, pattern: str) -> tuple[int, list[bytes]]:
        command = ("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT)
        try:
            answer: Any = await self._calls.call(*command, seconds=WRITE_SECONDS)
            following, names = answer
            return int(following), [name for name in names if isinstance(name, bytes)]
        except (TypeError, ValueError) as error:
            raise StoreUnavailable("cache: not what SCAN answers") from error


def _literal(prefix: str) -> str:
    """``prefix`` as a pattern that matches itself only."""
    return "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in prefix)
