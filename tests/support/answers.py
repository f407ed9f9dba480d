"""Requests, keys and kept answers for tests of the response cache."""

from __future__ import annotations

from typing import Any

from podium.cache.entry import Entry
from podium.cache.key import CacheKey, ModelIdentity, idempotency_key, response_key
from podium.core.generation import Chunk, GenerationRequest, SamplingParams, TextPrompt
from podium.core.identity import Principal

GREEDY = SamplingParams(max_tokens=8, temperature=0.0)


def identity(name: str = "demo", **changes: Any) -> ModelIdentity:
    """A model's identity."""
    facts = {"version": "1", "digest": "d" * 64, "engine": "echo", "engine_version": "1", "precision": "f32"}
    return ModelIdentity(**{"name": name, **facts, "device": "cpu", "max_model_len": 64, **changes})


def principal(tenant: str) -> Principal:
    """A caller of ``tenant``."""
    return Principal(tenant=tenant, key_id=f"key of {tenant}", roles=frozenset({"infer"}))


def request(text: str = "Once upon", *, tenant: str = "acme", **changes: Any) -> GenerationRequest:
    """A greedy request of ``tenant``."""
    content = {"id": "r", "model": "demo", "prompt": TextPrompt(text), "sampling": GREEDY}
    return GenerationRequest(**{**content, "caller": principal(tenant), **changes})


def key_for(text: str = "Once upon", *, tenant: str = "acme", model: str = "demo") -> CacheKey:
    """The key of a request's answer."""
    return response_key(request(text, tenant=tenant), identity(model), 16)


def retry_key(name: str, *, tenant: str = "acme") -> CacheKey:
    """The key of whatever was asked under an idempotency key."""
    return idempotency_key(request(tenant=tenant, idempotency_key=name))


def answer(key: CacheKey, text: str = "a time", *, model: str = "demo", created: float = 1000.0) -> Entry:
    """An answer of two chunks, the second of which holds ``text``."""
    chunks = (
        Chunk(0, "there ", (1,), 1, prompt_tokens=2),
        Chunk(0, text, (2, 3), 2, finish_reason="stop", prompt_tokens=2),
    )
    return Entry(key.digest, key.tenant, model, "1", "echo", created, b"", chunks)
