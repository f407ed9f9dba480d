"""Native requests to generation requests, and whole answers to native shapes. Pure functions."""

from __future__ import annotations

from podium.api.answering import Choice
from podium.api.sampling import sampling_params
from podium.config.server import RequestLimits
from podium.core.errors import InvalidRequest
from podium.core.generation import SamplingParams, TokenLogprob
from podium.protocols.native import ChoiceBody, NativeMembers, TokenBody, TopToken


def sampling(members: NativeMembers, limits: RequestLimits) -> SamplingParams:
    """Sampling parameters; ``do_sample`` false is greedy, whatever the temperature."""
    if not members.do_sample:
        members = members.model_copy(update={"temperature": 0.0})
    return sampling_params(members, limits, max_tokens=members.max_new_tokens, logprobs=members.logprobs)


def check_prompt(prompt: str) -> None:
    """Raises InvalidRequest for a prompt without a character."""
    if not prompt:
        raise InvalidRequest("`prompt` must not be empty. Send at least one character.", param="prompt")


def token_body(entry: TokenLogprob) -> TokenBody:
    """A token with its log probability; JSON says null for minus infinity."""
    top = [TopToken(token_id, text, logprob) for token_id, text, logprob in entry.top]
    return TokenBody(entry.token_id, entry.token, entry.logprob, top)


def logprobs_of(choice: Choice) -> list[TokenBody] | None:
    """The choice's tokens, if log probabilities were asked for."""
    return None if choice.logprobs is None else [token_body(entry) for entry in choice.logprobs]


def choices_of(choices: list[Choice], prefix: str) -> list[ChoiceBody] | None:
    """All answers, where there is more than one."""
    if len(choices) == 1:
        return None
    return [
        ChoiceBody(
            index=choice.index,
            generated_text=prefix + choice.text,
            finish_reason=choice.finish_reason or "stop",
            output_length=choice.token_count,
            stop_reason=choice.stop_reason,
            logprobs=logprobs_of(choice),
        )
        for choice in choices
    ]
