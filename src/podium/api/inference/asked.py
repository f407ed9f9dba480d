"""One inference that was asked for, and what its parameters mean whatever the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from podium.api.one_shots import one_shot_request
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.core.one_shot import Input, OneShotRequest

_MICROSECONDS = 1e-6
Texts = Mapping[str, list[str]]


@dataclass(frozen=True)
class Asked:
    """One inference: texts by the name of their tensor, and what else the request says."""

    request: Request
    model: str
    texts: Texts
    parameters: Mapping[str, Any]

    def one_shot(self, inputs: tuple[Input, ...], *more: str) -> OneShotRequest:
        """The inputs to a one-shot model. Raises UnsupportedParameter for parameters that it has no use for."""
        for name in self.parameters:
            if name not in ("priority", "timeout_seconds", *more):
                raise UnsupportedParameter(
                    f"`parameters.{name}` has no meaning for this model. Leave it out.", param=f"parameters.{name}"
                )
        return one_shot_request(
            self.request,
            self.model,
            inputs,
            param="inputs",
            priority=whole_number(self.parameters, "priority"),
            timeout=self.parameters.get("timeout_seconds"),
        )


def parameters_of(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters without those of the transport. Raises UnsupportedParameter for Triton's sequences."""
    found = dict(given or {})
    found.pop("binary_data_output", None)
    for name in ("sequence_id", "sequence_start", "sequence_end"):
        if found.pop(name, None):
            raise UnsupportedParameter(
                f"`parameters.{name}`: models here keep no state. Leave it out.", param=f"parameters.{name}"
            )
    timeout = found.pop("timeout", None)
    if timeout is not None:
        if type(timeout) is not int or timeout <= 0:
            raise InvalidRequest("`parameters.timeout` must be a number of microseconds.", param="parameters.timeout")
        found["timeout_seconds"] = timeout * _MICROSECONDS
    return found


def whole_number(parameters: Mapping[str, Any], name: str) -> int | None:
    """A parameter. Raises InvalidRequest unless it is an integer."""
    value = parameters.get(name)
    if value is not None and type(value) is not int:
        raise InvalidRequest(f"`parameters.{name}` must be an integer.", param=f"parameters.{name}")
    return value
