"""What all prompts of one generating call share, and the generation requests that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from podium.api.cache_control import cache_control
from podium.api.context import backend_of
from podium.api.idempotency import idempotency_key, key_of_prompt
from podium.api.principal import principal_of
from podium.api.record import record_of
from podium.api.sampling import timeout_seconds
from podium.core.generation import CacheControl, GenerationRequest, Prompt, SamplingParams
from podium.core.identity import Principal
from podium.protocols.sampling import SamplingMembers


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who makes it, to which model, and under what conditions."""

    request_id: str
    model: str
    caller: Principal
    cache: CacheControl
    idempotency_key: str | None
    timeout_seconds: float | None
    priority: int

    def requests(self, prompts: Sequence[Prompt], sampling: SamplingParams) -> list[GenerationRequest]:
        """One request for each prompt, in order, with ids and idempotency keys of their own."""
        return [
            GenerationRequest(
                id=self.request_id if len(prompts) == 1 else f"{self.request_id}-{number}",
                model=self.model,
                prompt=prompt,
                sampling=sampling,
                priority=self.priority,
                timeout_seconds=self.timeout_seconds,
                caller=self.caller,
                cache=self.cache,
                idempotency_key=key_of_prompt(self.idempotency_key, number),
            )
            for number, prompt in enumerate(prompts)
        ]


def call_of(request: Request, members: SamplingMembers, model: str | None) -> Call:
    """The call that headers and body describe; ``model`` None is the default. Raises InvalidRequest for bad headers."""
    return Call(
        request_id=record_of(request.scope).request_id,
        model=backend_of(request).model_name(model),
        caller=principal_of(request.scope),
        cache=cache_control(request, members.cache),
        idempotency_key=idempotency_key(request),
        timeout_seconds=timeout_seconds(request, members.timeout_seconds),
        priority=members.priority or 0,
    )
