"""What a request asks, apart from its last words: only requests that agree in all of it may share by similarity."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

import msgspec

from podium.cache.key import ModelIdentity, content_digest_parts
from podium.core.generation import ChatPrompt, GenerationRequest, Prompt, TextPrompt

_SEMANTIC = b"podium semantic 1;"


class Question(NamedTuple):
    """``text`` is what is compared by meaning, ``partition`` (32 bytes) a digest of everything else."""

    partition: bytes
    text: str


def question_of(request: GenerationRequest, model: ModelIdentity, default_max_tokens: int) -> Question | None:
    """The question of a request whose answer another one's may stand for; None where none may.

    Compared by meaning is the text of the last user message, or a plain prompt. Everything else has to be the
    same byte for byte: tenant, model version and engine, all parameters, system prompt and earlier messages,
    tools excluded altogether. None for token ids, tools and their messages, grammars, log probabilities and
    echo (they are about the very words), and for requests under an idempotency key.
    """
    sampling = request.sampling
    about_words = sampling.echo or sampling.logprobs is not None or sampling.constraint is not None
    if about_words or request.idempotency_key is not None:
        return None
    split = _split(request.prompt)
    if split is None:
        return None
    text, rest = split
    parts = content_digest_parts(_SEMANTIC, msgspec.structs.replace(request, prompt=rest), model, default_max_tokens)
    return Question(sha256(b"".join(parts)).digest(), text)


def _split(prompt: Prompt) -> tuple[str, Prompt] | None:
    """The last words, and the prompt without them."""
    match prompt:
        case TextPrompt(text) if text.strip():
            return text, TextPrompt("")
        case ChatPrompt(messages=messages, tools=()) if messages:
            *earlier, last = messages
            uses_tools = any(message.role == "tool" or "tool_calls" in message.extra for message in messages)
            if last.role != "user" or not (last.content or "").strip() or uses_tools:
                return None
            without = (*earlier, msgspec.structs.replace(last, content=""))
            return last.content or "", msgspec.structs.replace(prompt, messages=without)
    return None
