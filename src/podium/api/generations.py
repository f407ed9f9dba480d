"""Generating and tokenizing, as the HTTP surface needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

from podium.api.provenance import Provenance
from podium.core.generation import Chunk, GenerationRequest, Prompt
from podium.core.identity import Principal
from podium.core.standing import CacheStatus


class Generation(Provenance, Protocol):
    """An answer in progress: an iterator of chunks whose first one is already there."""

    @property
    def cache_status(self) -> CacheStatus:
        """What the response cache had to do with it."""

    @property
    def age_seconds(self) -> float | None:
        """How old a kept answer is; None when it was computed now."""

    @property
    def similarity(self) -> float | None:
        """How similar the question of a kept answer is to the one asked; None when it is the same, or computed."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Chunk: ...

    async def aclose(self) -> None:
        """Abort if unfinished. Idempotent."""


class Tokenized(Protocol):
    """Token ids and texts of a prompt."""

    @property
    def token_ids(self) -> Sequence[int]:
        """The ids."""

    @property
    def strings(self) -> Sequence[str]:
        """The tokens' own texts."""

    @property
    def max_model_len(self) -> int:
        """Context of the model, in tokens."""


class TokenizerFacts(Protocol):
    """What a client may know of a tokenizer."""

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""

    @property
    def bos_token(self) -> str | None:
        """Beginning-of-sequence token."""

    @property
    def eos_token(self) -> str | None:
        """End-of-sequence token."""

    @property
    def pad_token(self) -> str | None:
        """Padding token."""

    @property
    def chat_template(self) -> str | None:
        """The chat template's source."""


class Dispatcher(Protocol):
    """Takes requests to models."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Returns when the first chunk is there; cancelling the wait aborts the sequence."""

    async def tokenize(
        self, caller: Principal, model: str, prompt: Prompt, *, add_special_tokens: bool = True
    ) -> Tokenized:
        """Tokens of ``prompt``. A model that ``caller`` may not use does not exist for it (ModelNotFound)."""

    async def detokenize(self, caller: Principal, model: str, token_ids: tuple[int, ...]) -> str:
        """Text of ``token_ids``."""

    def tokenizer_facts(self, caller: Principal, model: str) -> TokenizerFacts:
        """Facts of the model's tokenizer. Raises ModelNotReady while there is none."""
