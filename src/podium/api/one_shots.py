"""What routes of one-shot tasks share: the request to a model, and what the log learns of its answer."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from starlette.requests import Request

from podium.api.context import backend_of
from podium.api.disconnect import stop_on_disconnect
from podium.api.embedded import Embedded
from podium.api.principal import principal_of
from podium.api.provenance import note_provenance
from podium.api.record import record_of
from podium.api.sampling import timeout_seconds
from podium.api.text_tasks import TaskResult
from podium.core.errors import InvalidRequest
from podium.core.generation import Usage
from podium.core.one_shot import Input, OneShotRequest
from podium.protocols.tasks import MAX_INPUTS, TaskUsage

R = TypeVar("R", bound=TaskResult)


class TaskBody(Protocol):
    """What the bodies of all tasks have."""

    @property
    def model(self) -> str | None:
        """Name of the model; None is the default."""

    @property
    def priority(self) -> int | None:
        """As ``OneShotRequest`` has it; None is 0."""

    @property
    def timeout_seconds(self) -> float | None:
        """The caller's deadline; None is the server's."""


def task_request(request: Request, body: TaskBody, inputs: tuple[Input, ...], *, param: str) -> OneShotRequest:
    """See ``one_shot_request``."""
    return one_shot_request(
        request, body.model, inputs, param=param, priority=body.priority, timeout=body.timeout_seconds
    )


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


def check_pairs(inputs: int, labels: int, *, param: str = "candidate_labels") -> None:
    """Raises InvalidRequest for more pairs of a text and a label than one request may hold."""
    if inputs * labels > MAX_INPUTS:
        raise InvalidRequest(
            f"{inputs} inputs with {labels} labels are {inputs * labels} pairs; at most {MAX_INPUTS} are allowed.",
            param=param,
        )


async def finished(request: Request, work: Awaitable[R]) -> R:
    """What came of ``work``, which is put down; a client that hangs up cancels it (ClientDisconnected)."""
    async with stop_on_disconnect(request.receive):
        result = await work
    note(request, result.computed)
    return result


def usage_of(computed: Embedded) -> TaskUsage:
    """All tokens of a one-shot task are its prompt's."""
    return TaskUsage(computed.prompt_tokens, computed.prompt_tokens)


def note(request: Request, computed: Embedded, *, operation: str | None = None) -> None:
    """Put down for the log, metrics, headers and traces who computed how much; several of one call add up.

    ``operation``: what OpenTelemetry calls the call, where it has a name for it.
    """
    record = record_of(request.scope)
    record.operation = operation
    note_provenance(record, computed)
    record.generated_at_seconds = record.seconds_so_far()
    used = Usage(prompt_tokens=computed.prompt_tokens)
    record.usage, record.computed = Usage.total((record.usage, used)), Usage.total((record.computed, used))
