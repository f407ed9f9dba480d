"""The most tokens that a request can come to: what is reserved of a quota before it is admitted."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from podium.core.generation import ChatPrompt, Prompt, SamplingParams, TextPrompt, TokensPrompt
from podium.engine.handle import EngineHandle
from podium.engine.interface import EngineFacts

BYTES_PER_TOKEN = 4  # of English text; only for an estimate of work, never for a quota
MESSAGE_BYTES = 32  # what a chat format writes around a message, generously


@dataclass(frozen=True)
class WorstCase:
    """``prompt`` is what to submit: already tokenized where that had to be done to count, and loses nothing."""

    prompt: Prompt
    prompt_tokens: int
    output_tokens: int


def estimate(prompt: Prompt, sampling: SamplingParams, facts: EngineFacts, default_max_tokens: int) -> WorstCase:
    """Without tokenizing: a guess of the prompt, the bound of the output."""
    prompt_tokens = -(-_bytes(prompt) // BYTES_PER_TOKEN)
    return WorstCase(prompt, prompt_tokens, _output(prompt_tokens, sampling, facts, default_max_tokens))


async def bound(
    handle: EngineHandle, prompt: Prompt, sampling: SamplingParams, facts: EngineFacts, default_max_tokens: int
) -> WorstCase:
    """A true bound: the prompt is counted by the model's own tokenizer.

    An engine that knows only text (``remote``) has no tokenizer here; its prompts count one token a byte,
    which no byte-level tokenizer exceeds. Raises what tokenizing raises (``InvalidRequest``).
    """
    counted = prompt
    if isinstance(prompt, TokensPrompt):
        prompt_tokens = len(prompt.token_ids)
    elif facts.text_engine:
        prompt_tokens = _bytes(prompt)
    else:
        tokens = await handle.tokenize(prompt, add_special_tokens=True, strings=False)
        prompt_tokens = len(tokens.token_ids)
        if prompt_tokens and not _is_read_again(prompt, sampling):
            counted = TokensPrompt(tokens.token_ids)
    return WorstCase(counted, prompt_tokens, _output(prompt_tokens, sampling, facts, default_max_tokens))


def _is_read_again(prompt: Prompt, sampling: SamplingParams) -> bool:
    """Whether more than its tokens is needed: an echo repeats the text as given, calls are parsed by their tools."""
    return sampling.echo or (isinstance(prompt, ChatPrompt) and bool(prompt.tools))


def _output(prompt_tokens: int, sampling: SamplingParams, facts: EngineFacts, default_max_tokens: int) -> int:
    room = max(1, facts.output_room(prompt_tokens))
    default = facts.default_output_tokens or default_max_tokens or room
    wanted = default if sampling.max_tokens is None else sampling.max_tokens
    return sampling.n * min(room, wanted)


def _bytes(prompt: Prompt) -> int:
    match prompt:
        case TokensPrompt(token_ids):
            return BYTES_PER_TOKEN * len(token_ids)
        case TextPrompt(text):
            return len(text.encode())
        case ChatPrompt(messages=messages, tools=tools):
            texts = sum(len((message.content or "").encode()) + MESSAGE_BYTES for message in messages)
            extras = sum(len(msgspec.json.encode(message.extra)) for message in messages if message.extra)
            return texts + extras + (len(msgspec.json.encode(tools)) if tools else 0)
