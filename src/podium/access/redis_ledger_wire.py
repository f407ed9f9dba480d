"""How the shared ledger's functions are spoken to: key names, messages, and answers that are not trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from podium.access.ledger import Admitted, Ask, Decision, Limit, Progress, Settlement, Unit, Used, refusal, standing
from podium.access.usage import Payer, Tally

_UNITS: dict[Unit, int] = {"request": 1, "tokens": 2, "money": 3, "live": 4}
_SETTLE, _RENEW, _COUNT, _FORGET = 1, 2, 3, 4
_FIELDS_OF_A_LIMIT = 3

_encode = msgspec.msgpack.Encoder().encode
_payer_of = msgspec.json.Decoder(tuple[str, str, str])


class Garbage(Exception):
    """The store answered with something that no function of ours says."""


class LedgerKeys:
    """Names of keys; all of them share one hash tag, so that a cluster keeps them together."""

    def __init__(self, prefix: str) -> None:
        self.base = f"{prefix}:{{q}}:"
        self.any = f"{self.base}leases"

    def bucket(self, limit: Limit) -> str:
        """Where the uses of ``limit`` are counted."""
        return f"{self.base}b:{limit.bucket}"

    def usage(self, hour: int) -> str:
        """Usage of one hour since 1970."""
        return f"{self.base}usage:{hour}"


class Heartbeat(msgspec.Struct, frozen=True):
    """What a flush tells: the store's time (ms), processes that live, items that failed, leases that ended."""

    store_ms: int
    replicas: int
    failed: int
    ended: int


def reserve_command(keys: LedgerKeys, ask: Ask, *, lease_seconds: float, latest_ms: int) -> list[Any]:
    """The call that reserves; void when the store comes to it after ``latest_ms`` of its own time (0: never)."""
    message = {
        "base": keys.base,
        "id": ask.id,
        "latest": latest_ms,
        "lease_ms": round(lease_seconds * 1000),
        "payer": payer_field(ask.payer),
        "declared": _amounts(ask.declared),
        "limits": [
            (limit.window.slots, _slot_ms(limit), limit.most, _UNITS[limit.unit], amount)
            for limit, amount in zip(ask.limits, ask.amounts, strict=True)
        ],
    }
    buckets = [keys.bucket(limit) for limit in ask.limits]
    return ["FCALL", "podium_reserve", len(buckets), *buckets, _encode(message)]


def read_reserve(ask: Ask, answer: Any) -> tuple[int, Decision | Literal["void"]]:
    """The store's time (ms) and what it decided; void: the call came too late. Raises ``Garbage``."""
    numbers = _integers(answer)
    if len(numbers) == 2 and numbers[1] == 2:
        return numbers[0], "void"
    if len(numbers) != 2 + _FIELDS_OF_A_LIMIT * len(ask.limits) or numbers[1] not in (0, 1):
        raise Garbage
    used, resets, waits = (numbers[start::_FIELDS_OF_A_LIMIT] for start in (2, 3, 4))
    standings = tuple(
        standing(limit, most=limit.most, used=amount, reset_seconds=reset / 1000)
        for limit, amount, reset in zip(ask.limits, used, resets, strict=True)
    )
    if numbers[1]:
        return numbers[0], Admitted(standings)
    return numbers[0], refusal(ask, [None if wait < 0 else wait / 1000 for wait in waits], standings)


def flush_message(
    keys: LedgerKeys, *, process: str, number: int, lease_seconds: float, items: Sequence[Any], leaving: bool = False
) -> bytes:
    """A batch; the store applies each ``number`` of a ``process`` once, in rising order."""
    return _encode(
        {
            "base": keys.base,
            "process": process,
            "number": number,
            "lease_ms": round(lease_seconds * 1000),
            "leaving": leaving,
            "items": items,
        }
    )


def flush_command(keys: LedgerKeys, message: bytes) -> list[Any]:
    """The call that applies a batch."""
    return ["FCALL", "podium_flush", 1, keys.any, message]


def read_flush(answer: Any) -> Heartbeat:
    """Raises ``Garbage``."""
    numbers = _integers(answer)
    if len(numbers) != 4:
        raise Garbage
    return Heartbeat(*numbers)


def settle_item(keys: LedgerKeys, settlement: Settlement, age_seconds: float) -> list[Any]:
    """The end of a request, ``age_seconds`` ago."""
    ask = settlement.ask
    age_ms = max(0, int(age_seconds * 1000))
    cached = int(settlement.cached)
    return [_SETTLE, ask.id, age_ms, payer_field(ask.payer), _amounts(settlement.used), cached, _limits(keys, ask)]


def renew_item(keys: LedgerKeys, progress: Progress) -> list[Any]:
    """A request that runs."""
    ask = progress.ask
    used, declared = _amounts(progress.used), _amounts(progress.declared)
    return [_RENEW, ask.id, payer_field(ask.payer), used, declared, _limits(keys, ask)]


def count_item(payer: Payer, tally: Tally) -> list[Any]:
    """Usage that holds nothing."""
    used = (tally.prompt_tokens, tally.output_tokens, tally.micro)
    return [_COUNT, payer_field(payer), tally.requests, tally.cached_requests, used]


def forget_item(request: str) -> list[Any]:
    """A reservation that nobody waits for any more, whether it was made or not."""
    return [_FORGET, request]


def payer_field(payer: Payer) -> str:
    """The payer as one string that can be taken apart again."""
    return msgspec.json.encode((payer.tenant, payer.key_id, payer.model)).decode()


def read_usage(answer: Any) -> Iterable[tuple[Payer, Tally]]:
    """Counts of one hour; what is not ours is left out."""
    counts = _pairs(answer)
    for field, value in counts:
        try:
            amount, payer = int(value), Payer(*_payer_of.decode(field[1:]))
        except ValueError:  # msgspec's errors are ValueErrors too
            continue
        match field[:1]:
            case b"r":
                yield payer, Tally(requests=amount)
            case b"c":
                yield payer, Tally(cached_requests=amount)
            case b"p":
                yield payer, Tally(prompt_tokens=amount)
            case b"o":
                yield payer, Tally(output_tokens=amount)
            case b"m":
                yield payer, Tally(micro=amount)


def _pairs(answer: Any) -> list[tuple[bytes, bytes]]:
    if isinstance(answer, dict):
        found = list(answer.items())
    elif isinstance(answer, list):
        found = list(zip(answer[::2], answer[1::2], strict=False))
    else:
        raise Garbage
    return [(field, value) for field, value in found if isinstance(field, bytes) and isinstance(value, bytes)]


def _integers(answer: Any) -> list[int]:
    if not isinstance(answer, list) or len(answer) < 2 or not all(type(number) is int for number in answer):
        raise Garbage
    return answer


def _amounts(used: Used) -> tuple[int, int, int]:
    return used.prompt_tokens, used.output_tokens, used.micro


def _slot_ms(limit: Limit) -> int:
    return round(limit.window.slot_seconds * 1000)


def _limits(keys: LedgerKeys, ask: Ask) -> list[tuple[str, int, int, int, int]]:
    return [
        (keys.bucket(limit), limit.window.slots, _slot_ms(limit), _UNITS[limit.unit], amount)
        for limit, amount in zip(ask.limits, ask.amounts, strict=True)
    ]
