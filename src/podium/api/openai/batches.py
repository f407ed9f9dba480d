"""``/v1/batches``: files of requests that run in the background."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer, ignored_headers
from podium.api.openai.files import batches_of
from podium.api.openai.pages import limit_of
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.core.batch import Order, StoredBatch
from podium.core.errors import InvalidRequest
from podium.protocols.batches import (
    BatchCreateRequest,
    BatchObject,
    BatchObjectList,
    BatchProblem,
    BatchProblems,
    BatchRequestCounts,
)

router = direct_router(tags=["OpenAI"])

_DEFAULT_PAGE, _MOST_ON_PAGE = 20, 100
_WINDOW = re.compile(r"([0-9]{1,7})([smhd])\Z", re.ASCII)
_SECONDS_OF = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@router.post(
    "/v1/batches",
    **operation(
        "Start a batch",
        request=BatchCreateRequest,
        answer=BatchObject,
        example={"input_file_id": "file-demo", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
    ),
)
async def create_batch(request: Request) -> Response:
    """Answers at once; what is wrong with the file's lines is told by the batch's status `failed` and its `errors`."""
    batches = batches_of(request)
    body = await read(request, BatchCreateRequest, max_depth=backend_of(request).server.limits.json_depth)
    order = Order(
        input_file_id=body.input_file_id,
        endpoint=body.endpoint,
        window=body.completion_window,
        window_seconds=_window_seconds(body.completion_window, batches.settings.longest_window_seconds),
        metadata=body.metadata,
        output_seconds=body.output_expires_after.seconds if body.output_expires_after else None,
    )
    batch = await batches.add_batch(principal_of(request.scope), order)
    return JsonAnswer(_object(batch), headers={**PRIVATE, **ignored_headers(request)})


_PAGE = {"after": "The last id of the page before.", "limit": f"Most batches, 1 to {_MOST_ON_PAGE}; none is 20."}


@router.get("/v1/batches", **operation("List batches", answer=BatchObjectList, query=_PAGE))
async def list_batches(request: Request) -> Response:
    """Batches of the caller's tenant, the newest first."""
    batches, limit = batches_of(request), limit_of(request, _DEFAULT_PAGE, _MOST_ON_PAGE)
    after = request.query_params.get("after")
    found = await batches.list_batches(principal_of(request.scope), after=after, limit=limit + 1)
    data = [_object(batch) for batch in found[:limit]]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    answer = BatchObjectList(data=data, first_id=first, last_id=last, has_more=len(found) > limit)
    return JsonAnswer(answer, headers=PRIVATE)


@router.get("/v1/batches/{batch_id}", **operation("Describe a batch", answer=BatchObject))
async def get_batch(request: Request, batch_id: str) -> Response:
    """One batch of the caller's tenant; of any for a key with the role admin."""
    return JsonAnswer(_object(await batches_of(request).batch(principal_of(request.scope), batch_id)), headers=PRIVATE)


@router.post("/v1/batches/{batch_id}/cancel", **operation("Cancel a batch", answer=BatchObject))
async def cancel_batch(request: Request, batch_id: str) -> Response:
    """Lines without a result get an error as theirs. 409 when it has ended."""
    return JsonAnswer(_object(await batches_of(request).cancel(principal_of(request.scope), batch_id)), headers=PRIVATE)


def _window_seconds(text: str, longest: int) -> int:
    match = _WINDOW.match(text)
    seconds = int(match[1]) * _SECONDS_OF[match[2]] if match else 0
    if not 0 < seconds <= longest:
        raise InvalidRequest(
            "`completion_window` must be a number above 0 with s, m, h or d behind it, such as 24h, and at most "
            f"{longest}s.",
            param="completion_window",
        )
    return seconds


def _object(batch: StoredBatch) -> BatchObject:
    problems = [BatchProblem(one.code, one.line, one.message, one.param) for one in batch.problems]
    times = batch.times
    return BatchObject(
        id=batch.id,
        endpoint=batch.order.endpoint,
        errors=BatchProblems(data=problems) if problems else None,
        input_file_id=batch.order.input_file_id,
        completion_window=batch.order.window,
        status=batch.status,
        output_file_id=batch.output_file_id,
        error_file_id=batch.error_file_id,
        created_at=batch.created_at,
        in_progress_at=times.get("in_progress"),
        expires_at=batch.expires_at,
        finalizing_at=times.get("finalizing"),
        completed_at=times.get("completed"),
        failed_at=times.get("failed"),
        expired_at=times.get("expired"),
        cancelling_at=times.get("cancelling"),
        cancelled_at=times.get("cancelled"),
        request_counts=BatchRequestCounts(batch.total, batch.completed, batch.failed),
        metadata=batch.order.metadata,
    )
