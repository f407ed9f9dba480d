"""``GET /usage``: who used what."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.usage import UsageRow
from podium.core.errors import InvalidRequest, PermissionDenied
from podium.core.identity import Principal
from podium.protocols.native_use import UsageAnswer, UsageBy, UsageFigures, UsageGroup

router = direct_router(tags=["Usage"])

DEFAULT_SINCE = "24h"
MOST_DAYS = 30
_SECONDS_OF = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SINCE = re.compile(r"([0-9]{1,7})([smhd])\Z", re.ASCII)
_WAYS: tuple[UsageBy, ...] = get_args(UsageBy)

Names = tuple[str | None, str | None, str | None]  # tenant, key id, model
_NAMES: dict[UsageBy, Callable[[UsageRow], Names]] = {
    "tenant": lambda row: (row.tenant, None, None),
    "key": lambda row: (row.tenant, row.key_id, None),
    "model": lambda row: (None, None, row.model),
}


@router.get(
    "/usage",
    **operation(
        "Who used what",
        answer=UsageAnswer,
        query={
            "since": "How far back: a number and s, m, h or d, at most 30d; rounded up to whole hours. None is 24h.",
            "by": "One group for each `tenant`, `key` or `model`. None is key.",
            "tenant": "Only this tenant. A key without the role admin may name its own only.",
        },
        answer_example={
            "since_seconds": 86400.0,
            "by": "key",
            "usage": [
                {
                    "tenant": "acme", "key_id": "5f0c9a2b7d1e4f60", "model": None, "requests": 120,
                    "cached_requests": 40, "prompt_tokens": 9600, "output_tokens": 2400, "total_tokens": 12000,
                    "cost": 0.36,
                }
            ],
            "total": {
                "requests": 120, "cached_requests": 40, "prompt_tokens": 9600, "output_tokens": 2400,
                "total_tokens": 12000, "cost": 0.36,
            },
        },
    ),
)  # fmt: skip
async def usage(request: Request) -> Response:
    """Use in a time that ends now. A key with the role admin sees every tenant, any other key its own use."""
    caller = principal_of(request.scope)
    since_seconds = _since(request.query_params.get("since") or DEFAULT_SINCE)
    by = _way(request.query_params.get("by") or "key")
    tenant, key_id = _scope_of(caller, request.query_params.get("tenant"))
    rows = await backend_of(request).usage.usage(since_seconds=since_seconds, tenant=tenant, key_id=key_id)
    groups = sorted(_grouped(rows, by), key=lambda group: (-group.total_tokens, -group.requests, _text(group)))
    answer = UsageAnswer(since_seconds=since_seconds, by=by, usage=groups, total=_total(rows))
    return JsonAnswer(answer, headers=PRIVATE)


def _since(text: str) -> float:
    match = _SINCE.match(text)
    seconds = int(match[1]) * _SECONDS_OF[match[2]] if match else 0
    if not 0 < seconds <= MOST_DAYS * _SECONDS_OF["d"]:
        raise InvalidRequest(
            f"`since` must be a number above 0 with s, m, h or d behind it, such as 24h, and at most {MOST_DAYS}d.",
            param="since",
        )
    return float(seconds)


def _way(text: str) -> UsageBy:
    for known in _WAYS:
        if text == known:
            return known
    raise InvalidRequest("`by` must be tenant, key or model.", param="by")


def _scope_of(caller: Principal, tenant: str | None) -> tuple[str | None, str | None]:
    """Tenant and key that ``caller`` may see: all that it asks for with the role admin, else itself."""
    if caller.may("admin"):
        return tenant, None
    if tenant is not None and tenant != caller.tenant:
        raise PermissionDenied(
            "Only a key with the role admin sees the use of another tenant. Leave `tenant` out.", param="tenant"
        )
    return caller.tenant, caller.key_id


def _grouped(rows: Iterable[UsageRow], by: UsageBy) -> Iterator[UsageGroup]:
    groups: dict[Names, list[UsageRow]] = {}
    for row in rows:
        groups.setdefault(_NAMES[by](row), []).append(row)
    for (tenant, key_id, model), members in groups.items():
        total = _total(members)
        yield UsageGroup(tenant=tenant, key_id=key_id, model=model, **msgspec.structs.asdict(total))


def _total(rows: Sequence[UsageRow]) -> UsageFigures:
    prompt_tokens = sum(row.prompt_tokens for row in rows)
    output_tokens = sum(row.output_tokens for row in rows)
    return UsageFigures(
        requests=sum(row.requests for row in rows),
        cached_requests=sum(row.cached_requests for row in rows),
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        total_tokens=prompt_tokens + output_tokens,
        cost=round(math.fsum(row.cost for row in rows), 6),
    )


def _text(group: UsageGroup) -> tuple[str, str, str]:
    return group.tenant or "", group.key_id or "", group.model or ""
