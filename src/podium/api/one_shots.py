"""What routes of one-shot tasks share: the request to a model, and what the log learns of its answer."""

from __future__ import annotations

from starlette.requests import Request

from podium.api.context import backend_of
from podium.api.embedded import Embedded
from podium.api.principal import principal_of
from podium.api.record import record_of
from podium.api.sampling import timeout_seconds
from podium.api.standings import joined
from podium.core.errors import InvalidRequest
from podium.core.generation import Usage
from podium.core.one_shot import Input, OneShotRequest
from podium.protocols.tasks import MAX_INPUTS


def one_shot_request(
    request: Request,
    model: str | None,
    inputs: tuple[Input, ...],
    *,
    param: str,
    priority: int | None = None,
    timeout: float | None = None,
) -> OneShotRequest:
    """``inputs``, which the caller calls ``param``, for ``model`` (None: the default). ``timeout`` in seconds.

    Raises ``InvalidRequest`` for more than ``MAX_INPUTS``.
    """
    if len(inputs) > MAX_INPUTS:
        raise InvalidRequest(f"`{param}` holds {len(inputs)} inputs; at most {MAX_INPUTS} are allowed.", param=param)
    return OneShotRequest(
        id=record_of(request.scope).request_id,
        model=backend_of(request).model_name(model),
        inputs=inputs,
        param=param,
        priority=priority or 0,
        timeout_seconds=timeout_seconds(request, timeout),
        caller=principal_of(request.scope),
    )


def note(request: Request, computed: Embedded) -> None:
    """Put down for the log, metrics and headers who computed how much."""
    record = record_of(request.scope)
    record.model = computed.model
    record.version = computed.version
    record.engine = computed.engine
    record.queue_seconds = computed.queue_seconds
    record.standings = joined(record.standings, computed.standings)
    record.usage = record.computed = Usage(prompt_tokens=computed.prompt_tokens)
