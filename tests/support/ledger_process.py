"""A process that sends requests through its own keeper and writes down everything it delivers.

Arguments: a JSON object with ``url``, ``seed``, ``seconds``, ``log``. Windows are two seconds long instead of sixty,
so that many of them pass. Each line of the log is one of

    {"at": …, "tokens": n, "key": …}         that many tokens were delivered
    {"at": …, "begin": id, "key": …}         a request was admitted
    {"at": …, "end": id}                     it is about to be settled
    {"at": …, "refused": key}

with ``at`` in seconds of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvloop

from podium.access.ledger import Limit
from podium.access.overrides import QuotaOverrides
from podium.access.prices import FREE
from podium.access.quotas import QuotaKeeper
from podium.access.quotas_plan import Plan
from podium.access.redis_ledger import RedisLedger
from podium.access.usage import Payer
from podium.access.windows import Window
from podium.config.access import Access
from podium.config.redis import Redis as RedisSettings
from podium.core.errors import RateLimited
from podium.core.identity import Principal
from podium.store.link import RedisLink

LEASE_SECONDS = 5.0
SHORT = Window("short", 0.1, 21)
KEYS = ("k1", "k2", "k3")
KEY_TOKENS = 6_000
TENANT_TOKENS = 16_000
KEY_REQUESTS = 50
LIVE = 24
CLIENTS = 12
PATIENT = {"call_seconds": 5.0, "connect_seconds": 5.0}


def limits_of(key: str) -> tuple[Limit, ...]:
    """What holds for a key: limits of its own, of the tenant, and of the model."""
    short = [
        Limit.of("requests_per_minute", "key", key, KEY_REQUESTS),
        Limit.of("tokens_per_minute", "key", key, KEY_TOKENS),
        Limit.of("tokens_per_minute", "tenant", "acme", TENANT_TOKENS),
    ]
    live = Limit.of("concurrent_requests", "model", "echo", LIVE)
    return (*(msgspec.structs.replace(limit, window=SHORT) for limit in short), live)


class ShortPlans:
    """In place of a keeper's plans."""

    def find(self, caller: Principal, model: str, _: QuotaOverrides) -> Plan:
        return Plan(Payer(caller.tenant, caller.key_id, model), limits_of(caller.key_id), FREE, counts_tokens=True)


@dataclass
class Log:
    """Written at once, so that a killed process leaves all it did."""

    file: int

    def write(self, **said: Any) -> None:
        os.write(self.file, (json.dumps({"at": time.monotonic(), **said}) + "\n").encode())


@dataclass
class Traffic:
    """Clients of one process, each sending one request after the other until ``until``."""

    keeper: QuotaKeeper
    log: Log
    chance: random.Random
    until: float
    number: int = field(default=0)

    async def client(self) -> None:
        while time.monotonic() < self.until:
            key = self.chance.choice(KEYS)
            caller = Principal(tenant="acme", key_id=key, roles=frozenset({"infer"}))
            prompt, output = self.chance.randrange(100), self.chance.randrange(1, 600)
            try:
                await self.request(caller, prompt, output)
            except RateLimited:
                self.log.write(refused=key)
                await asyncio.sleep(self.chance.uniform(0, 0.03))

    async def request(self, caller: Principal, prompt: int, output: int) -> None:
        """Reserved, then delivered in pieces; half of them stop early."""
        lease = await self.keeper.reserve(caller, "echo", request_id="r", prompt_tokens=prompt, output_tokens=output)
        self.number += 1
        name = f"{os.getpid()}-{self.number}"
        self.log.write(begin=name, key=caller.key_id)
        self.log.write(tokens=prompt, key=caller.key_id)
        done, stop = 0, output if self.chance.random() < 0.5 else self.chance.randrange(output)
        while done < stop:
            piece = min(stop - done, self.chance.randrange(1, 40))
            done += piece
            lease.note(prompt, done)
            self.log.write(tokens=piece, key=caller.key_id)
            await asyncio.sleep(self.chance.uniform(0, 0.03))
        self.log.write(end=name)
        lease.settle(prompt, done)


async def _main(orders: dict[str, Any]) -> None:
    settings = RedisSettings.model_validate({"url": orders["url"], **PATIENT})
    link = RedisLink(settings)
    ledger = RedisLedger(link, settings, lease_seconds=LEASE_SECONDS)
    keeper = QuotaKeeper(Access(lease_seconds=LEASE_SECONDS), ledger, QuotaOverrides)
    keeper._plans = ShortPlans()  # type: ignore[assignment]
    log = Log(os.open(orders["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    async with keeper, asyncio.TaskGroup() as clients:
        chance = random.Random(orders["seed"])  # noqa: S311 - a seeded history
        traffic = Traffic(keeper, log, chance, time.monotonic() + orders["seconds"])
        for number in range(CLIENTS):
            clients.create_task(traffic.client(), name=f"client {number}")
    facts = keeper.facts()
    log.write(local_decisions=facts.local_decisions, failures=facts.failures, queued=facts.queued)
    await link.aclose()


if __name__ == "__main__":
    uvloop.run(_main(json.loads(sys.argv[1])))
