"""What identifies an answer."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Literal

import msgspec

from podium.cache import canonical
from podium.core.generation import GenerationRequest

NOT_OUTPUT = frozenset({"id", "priority", "timeout_seconds", "cache", "idempotency_key"})
"""Fields of a request that cannot change a complete answer: who waits, how long, and what is kept of it."""

ELSEWHERE = frozenset({"model", "caller"})
"""Fields that count as something else: the model as its ``ModelIdentity``, the caller as its tenant."""

# Raised when the meaning of a part changes, so that old answers are not found.
_RESPONSE = b"podium response 1;"
_RETRY = b"podium idempotency key 1;"
_FINGERPRINT = b"podium fingerprint 1;"


class ModelIdentity(msgspec.Struct, frozen=True):
    """What computes an answer. ``digest`` is of the model's files and engine settings (``models.model_digest``)."""

    name: str
    version: str
    digest: str
    engine: str
    engine_version: str
    precision: str
    device: str
    max_model_len: int


class CacheKey(msgspec.Struct, frozen=True):
    """Identity of an answer, by content (``response``) or by the caller's own name for it (``retry``).

    ``digest`` (32 bytes) comes from everything that the answer depends on and is a secret: with it, a kept
    answer can be read. ``model`` is empty in a ``retry`` key, for the name of a request does not say which
    model it went to.
    """

    digest: bytes
    tenant: str
    model: str
    kind: Literal["response", "retry"] = "response"

    @property
    def text(self) -> str:
        """Its name in a shared store, which tells nothing: a digest of the digest, hex."""
        return sha256(b"name;" + self.digest).hexdigest()


def content_digest_parts(
    purpose: bytes, request: GenerationRequest, model: ModelIdentity, default_max_tokens: int
) -> list[bytes]:
    """What a digest of model, tenant and content is made of; ``purpose`` keeps digests of different use apart."""
    parts = [purpose, _identity(model)]
    canonical.text(request.caller.tenant, parts.append)
    _content(request, default_max_tokens, parts.append)
    return parts


def response_key(request: GenerationRequest, model: ModelIdentity, default_max_tokens: int) -> CacheKey:
    """The key of the answer to ``request``.

    Two requests share it only if tenant, model, prompt and every sampling parameter are the same, whatever
    dialect they came in. Equal requests have equal keys in every process. Objects inside ``tools`` and
    ``extra`` reach a chat template in the order of their members, so that order counts.
    """
    parts = content_digest_parts(_RESPONSE, request, model, default_max_tokens)
    return CacheKey(sha256(b"".join(parts)).digest(), request.caller.tenant, model.name)


def idempotency_key(request: GenerationRequest) -> CacheKey:
    """The key of the answer to whatever was first asked under this tenant's ``idempotency_key``."""
    parts = [_RETRY]
    canonical.text(request.caller.tenant, parts.append)
    canonical.text(request.idempotency_key or "", parts.append)
    return CacheKey(sha256(b"".join(parts)).digest(), request.caller.tenant, "", "retry")


def fingerprint(request: GenerationRequest, default_max_tokens: int) -> bytes:
    """What must be the same when an idempotency key comes again: model as named, prompt, parameters. 32 bytes."""
    parts = [_FINGERPRINT]
    canonical.text(request.model, parts.append)
    _content(request, default_max_tokens, parts.append)
    return sha256(b"".join(parts)).digest()


_CONTENT = tuple(
    (field.name, canonical.by_type(field.type))
    for field in msgspec.structs.fields(GenerationRequest)
    if field.name not in NOT_OUTPUT | ELSEWHERE
)


def _content(request: GenerationRequest, default_max_tokens: int, put: canonical.Put) -> None:
    for name, write in _CONTENT:
        write(getattr(request, name), put)
    canonical.integer(default_max_tokens, put)


_write_identity = canonical.structure(ModelIdentity)


@lru_cache(maxsize=256)
def _identity(model: ModelIdentity) -> bytes:
    return canonical.encoded(_write_identity, model)
