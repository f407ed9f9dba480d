"""The shared members of a request to sampling parameters, within the configured limits."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request

from podium.api.strict_json import MAX_TEXT_DEPTH, is_too_deep
from podium.config.server import RequestLimits
from podium.core.errors import InvalidRequest
from podium.core.generation import Constraint, SamplingParams
from podium.protocols.sampling import SamplingMembers, StructuredOutputs

TIMEOUT_HEADER = "x-podium-timeout-seconds"
MAX_TIMEOUT_SECONDS = 86400.0


def sampling_params(
    members: SamplingMembers,
    limits: RequestLimits,
    *,
    max_tokens: int | None,
    logprobs: int | None = None,
    echo: bool = False,
    constraint: Constraint | None = None,
) -> SamplingParams:
    """What the members ask for. Raises InvalidRequest where they exceed ``limits`` or contradict each other."""
    n = members.n or 1
    check_at_most("n", n, limits.choices)
    check_at_most("stop", len(members.stop), limits.stops, what="strings")
    if logprobs is not None:
        check_at_most("logprobs", logprobs, limits.logprobs)
    min_tokens = members.min_tokens or 0
    if max_tokens is not None and min_tokens > max_tokens:
        raise InvalidRequest("`min_tokens` must not be more than the token limit.", param="min_tokens")
    return SamplingParams(
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        temperature=_or(members.temperature, 1.0),
        top_p=_or(members.top_p, 1.0),
        top_k=max(0, members.top_k or 0),
        min_p=_or(members.min_p, 0.0),
        repetition_penalty=_or(members.repetition_penalty, 1.0),
        presence_penalty=_or(members.presence_penalty, 0.0),
        frequency_penalty=_or(members.frequency_penalty, 0.0),
        stop=members.stop,
        stop_token_ids=members.stop_token_ids,
        seed=members.seed,
        n=n,
        logprobs=logprobs,
        echo=echo,
        logit_bias=members.logit_bias,
        ignore_eos=bool(members.ignore_eos),
        constraint=_constraint(members, limits, constraint),
    )


def check_at_most(param: str, given: int, most: int, *, what: str = "") -> None:
    """Raises InvalidRequest when ``given`` is more than ``most``."""
    if given > most:
        allowed = f"{most} {what}".strip()
        raise InvalidRequest(f"`{param}` must be at most {allowed}.", param=param)


def timeout_seconds(request: Request, member: float | None) -> float | None:
    """The deadline that the header or the body's ``member`` asks for; the shorter one when both do."""
    given = request.headers.get(TIMEOUT_HEADER)
    if given is None:
        return member
    header = _seconds(given)
    return header if member is None else min(header, member)


def _seconds(given: str) -> float:
    plain = given.replace(".", "", 1)
    seconds = float(given) if plain.isascii() and plain.isdigit() and len(plain) <= 12 else 0.0
    if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        raise InvalidRequest(
            f"The header {TIMEOUT_HEADER} must be a number above 0 and at most {MAX_TIMEOUT_SECONDS:g}.",
            param=TIMEOUT_HEADER,
        )
    return seconds


def json_constraint(schema: dict[str, Any] | str) -> Constraint:
    """Output that a JSON schema allows. Raises InvalidRequest for one that is text and nested too deeply."""
    if not isinstance(schema, str):
        return Constraint("json_schema", msgspec.json.encode(schema).decode())
    if is_too_deep(schema):
        raise InvalidRequest(
            f"The JSON schema is nested too deeply. At most {MAX_TEXT_DEPTH} levels are allowed.",
            param="structured_outputs",
        )
    return Constraint("json_schema", schema)


def _constraint(members: SamplingMembers, limits: RequestLimits, own: Constraint | None) -> Constraint | None:
    structured = members.structured_outputs or StructuredOutputs()
    schemas = (members.guided_json, structured.json_schema)
    regexes = (members.guided_regex, structured.regex)
    asked = [own] if own else []
    asked += [json_constraint(schema) for schema in schemas if schema is not None]
    asked += [Constraint("regex", regex) for regex in regexes if regex is not None]
    if len(asked) > 1:
        raise InvalidRequest(
            "`structured_outputs`, its older names and `response_format` allow one constraint together.",
            param="structured_outputs",
        )
    if asked and len(asked[0].source.encode()) > limits.grammar_bytes:
        raise InvalidRequest(
            f"`structured_outputs` is too large. At most {limits.grammar_bytes} bytes of schema or regex are allowed.",
            param="structured_outputs",
        )
    return asked[0] if asked else None


def _or(value: float | None, default: float) -> float:
    return default if value is None else float(value)
