"""Parameters of text-generation-inference to sampling parameters, and tokens to its shapes. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from podium.api.answering import Choice
from podium.api.hugging_face.address import refuse
from podium.api.sampling import check_at_most, json_constraint
from podium.config.server import RequestLimits
from podium.core.errors import InvalidRequest
from podium.core.generation import Chunk, Constraint, SamplingParams, TokenLogprob
from podium.protocols.text_generation_inference import DEFAULT_NEW_TOKENS, HfDetails, HfGrammar, HfParameters, HfToken

Ending = Literal["length", "eos_token", "stop_sequence"]
UNTOLD = -1


def sampling(given: HfParameters, limits: RequestLimits, *, tokens: bool) -> SamplingParams:
    """Sampling parameters; ``tokens``: each token is told. Greedy unless something asks for a draw.

    Raises UnsupportedParameter for what would change the text unseen, InvalidRequest beyond ``limits``.
    """
    _refuse_of(given)
    check_at_most("parameters.stop", len(given.stop), limits.stops, what="strings")
    top = given.top_n_tokens or 0
    check_at_most("parameters.top_n_tokens", top, limits.logprobs)
    draws = given.do_sample or any(one is not None for one in (given.temperature, given.top_k, given.top_p))
    return SamplingParams(
        max_tokens=given.max_new_tokens or DEFAULT_NEW_TOKENS,
        temperature=float(given.temperature or 1.0) if draws else 0.0,
        top_k=given.top_k or 0,
        top_p=float(given.top_p or 1.0),
        repetition_penalty=float(given.repetition_penalty or 1.0),
        frequency_penalty=float(given.frequency_penalty or 0.0),
        stop=given.stop,
        seed=given.seed,
        logprobs=top if tokens else None,
        constraint=None if given.grammar is None else _constraint(given.grammar, limits),
    )


def _refuse_of(given: HfParameters) -> None:
    refuse("parameters.best_of", given.best_of, 1)
    refuse("parameters.typical_p", given.typical_p, 1)
    refuse("parameters.watermark", given.watermark, False)
    refuse("parameters.decoder_input_details", given.decoder_input_details, False)
    refuse("parameters.truncate", given.truncate)
    refuse("parameters.adapter_id", given.adapter_id)


def _constraint(grammar: HfGrammar, limits: RequestLimits) -> Constraint:
    value = grammar.value
    if grammar.type == "regex":
        if not isinstance(value, str):
            raise InvalidRequest("`parameters.grammar.value` must be a string.", param="parameters.grammar.value")
        found = Constraint("regex", value)
    else:
        named = grammar.type == "json_schema" and isinstance(value, dict) and isinstance(value.get("schema"), dict)
        found = json_constraint(value["schema"] if named else value)  # type: ignore[index]
    if len(found.source.encode()) > limits.grammar_bytes:
        raise InvalidRequest(
            f"`parameters.grammar` is too large. At most {limits.grammar_bytes} bytes are allowed.",
            param="parameters.grammar",
        )
    return found


def ending(finish_reason: str | None, stop_reason: str | int | None) -> Ending:
    """Why a text ended, in their words."""
    if finish_reason == "length":
        return "length"
    return "stop_sequence" if isinstance(stop_reason, str) else "eos_token"


def details_of(choice: Choice, seed: int | None) -> HfDetails:
    """All tokens of a text, and its end."""
    entries = choice.logprobs or []
    reason = ending(choice.finish_reason, choice.stop_reason)
    last = len(entries) - 1
    return HfDetails(
        finish_reason=reason,
        generated_tokens=choice.token_count,
        seed=seed,
        tokens=[
            _token(one, one.token, special=reason == "eos_token" and position == last)
            for position, one in enumerate(entries)
        ],
        top_tokens=[top_of(one) for one in entries if one.top],
    )


def tokens_of(chunk: Chunk) -> list[tuple[HfToken, list[HfToken]]]:
    """The tokens of a piece, each with the likeliest ones of its step; their texts together are the piece's.

    The token that ends a text has none. Where characters span tokens, the last of these has their text.
    """
    entries: Sequence[TokenLogprob] = chunk.logprobs or ()
    if not entries:
        return [(HfToken(UNTOLD, chunk.text, None, special=not chunk.text), [])] if _speaks(chunk) else []
    texts = [one.token for one in entries]
    if "".join(texts) != chunk.text:
        texts = [*[""] * (len(entries) - 1), chunk.text]
    ends = chunk.finish_reason is not None and ending(chunk.finish_reason, chunk.stop_reason) == "eos_token"
    last = len(entries) - 1
    return [
        (_token(one, text, special=ends and position == last and not text), top_of(one))
        for position, (one, text) in enumerate(zip(entries, texts, strict=True))
    ]


def _speaks(chunk: Chunk) -> bool:
    return bool(chunk.text) or chunk.finish_reason is not None


def _token(entry: TokenLogprob, text: str, *, special: bool) -> HfToken:
    return HfToken(entry.token_id, text, entry.logprob, special)


def top_of(entry: TokenLogprob) -> list[HfToken]:
    """The likeliest tokens of a step."""
    return [HfToken(token_id, text, logprob, special=False) for token_id, text, logprob in entry.top]
