"""The members about sampling, stopping and scheduling that all text dialects share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from podium.protocols.cache_control import CacheMember
from podium.protocols.wire import MAX_TOKEN_ID, WireModel, token_ids

MAX_COUNT = 2**31 - 1
MAX_SEED = 2**63 - 1
MAX_LOGIT_BIASES = 1024
MAX_STOP_CHARACTERS = 1024


def _stops(value: Any) -> tuple[str, ...]:
    """One stop string or a list of them, as a tuple."""
    given = [value] if isinstance(value, str) else ([] if value is None else value)
    if type(given) is not list or not set(map(type, given)) <= {str}:
        raise ValueError("must be a string or a list of strings")
    if not all(given):
        raise ValueError("must not hold an empty string")
    if any(len(stop) > MAX_STOP_CHARACTERS for stop in given):
        raise ValueError(f"must hold strings of at most {MAX_STOP_CHARACTERS} characters")
    return tuple(given)


def _stop_token_ids(value: Any) -> tuple[int, ...]:
    ids = () if value is None else token_ids(value)
    if len(ids) > MAX_LOGIT_BIASES:
        raise ValueError(f"must hold at most {MAX_LOGIT_BIASES} token ids")
    return ids


def _logit_bias(value: Any) -> dict[int, float]:
    """A mapping of token id (as a decimal string) to bias."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise ValueError("must be an object of token id to number")
    if len(value) > MAX_LOGIT_BIASES:
        raise ValueError(f"must have at most {MAX_LOGIT_BIASES} members")
    return dict(_bias(key, bias) for key, bias in value.items())


def _bias(key: str, bias: Any) -> tuple[int, float]:
    if not (key.isascii() and key.isdigit() and len(key) <= 10 and int(key) <= MAX_TOKEN_ID):
        raise ValueError("must have token ids as names")
    if type(bias) not in (int, float) or not -100 <= bias <= 100:
        raise ValueError("must have numbers from -100 to 100 as values")
    return int(key), float(bias)


_STOPS_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}
_IDS_SCHEMA = {"anyOf": [{"type": "array", "items": {"type": "integer", "minimum": 0}}, {"type": "null"}]}
_BIAS_SCHEMA = {
    "anyOf": [
        {"type": "object", "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100}},
        {"type": "null"},
    ]
}

Stops = Annotated[tuple[str, ...], PlainValidator(_stops), WithJsonSchema(_STOPS_SCHEMA)]
StopTokenIds = Annotated[tuple[int, ...], PlainValidator(_stop_token_ids), WithJsonSchema(_IDS_SCHEMA)]
LogitBias = Annotated[dict[int, float], PlainValidator(_logit_bias), WithJsonSchema(_BIAS_SCHEMA)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]


class StructuredOutputs(WireModel):
    """What the output must match: one of a JSON schema or a regular expression."""

    json_schema: dict[str, Any] | str | None = Field(
        None, alias="json", description="A JSON schema, as an object or as its text."
    )
    regex: str | None = Field(None, description="A regular expression that the whole output must match.")


class SamplingMembers(WireModel):
    """How tokens are chosen, when generation ends, how urgent the request is, and whether a kept answer will do."""

    temperature: float | None = Field(None, ge=0, le=2, description="0 is greedy; none is 1.")
    top_p: float | None = Field(None, gt=0, le=1, description="Nucleus; 1 is off.")
    top_k: int | None = Field(None, ge=-1, le=MAX_COUNT, description="Most likely k; 0 and -1 are off.")
    min_p: float | None = Field(None, ge=0, le=1, description="Least share of the top probability; 0 is off.")
    repetition_penalty: float | None = Field(None, gt=0, le=10, description="1 is off.")
    presence_penalty: float | None = Field(None, ge=-2, le=2, description="0 is off.")
    frequency_penalty: float | None = Field(None, ge=-2, le=2, description="0 is off.")
    stop: Stops = Field((), description="Strings that end the output; they are not part of it.")
    stop_token_ids: StopTokenIds = Field((), description="Tokens that end the output.")
    min_tokens: int | None = Field(None, ge=0, le=MAX_COUNT, description="No stop of any kind before this many tokens.")
    ignore_eos: bool | None = Field(None, description="Go on after the end-of-sequence token.")
    seed: int | None = Field(None, ge=-MAX_SEED - 1, le=MAX_SEED, description="Same seed, same answer.")
    n: Count | None = Field(None, description="Answers for each prompt; none is 1.")
    logit_bias: LogitBias = Field({}, description="Added to the logits, by token id.")
    structured_outputs: StructuredOutputs | None = Field(None, description="Constrain the output.")
    guided_json: dict[str, Any] | str | None = Field(None, description="Older name of `structured_outputs.json`.")
    guided_regex: str | None = Field(None, description="Older name of `structured_outputs.regex`.")
    timeout_seconds: float | None = Field(None, gt=0, le=86400, description="Deadline; 504 when it passes.")
    priority: int | None = Field(None, ge=-100, le=100, description="Higher is served first; none is 0.")
    cache: CacheMember = Field(
        None,
        description="What to do with the response cache; of this and the header `Cache-Control` the stricter one "
        "holds. `no-cache` computes anew, `no-store` keeps nothing, `max-age` (also `s-maxage`, `ttl`; seconds) takes "
        "no older answer, `force` takes and keeps one although the request does not determine it.",
    )
