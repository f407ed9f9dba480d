"""A request's one page: resolve, refuse, admit, generate."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from podium.core.errors import DeadlineExceeded
from podium.core.generation import ChatPrompt, GenerationRequest, Prompt
from podium.engine.messages import TokenizerFacts
from podium.models.generation import Generation, Provenance, Timing
from podium.models.registry import Models
from podium.models.served import ServedModel, refuse_unsupported


@dataclass(frozen=True)
class Tokenized:
    """Token ids, their texts, and the model's context length."""

    token_ids: tuple[int, ...]
    strings: tuple[str, ...]
    max_model_len: int


class Dispatcher:
    """Turns requests into generations. ``default_max_tokens`` applies where a request names none."""

    def __init__(self, models: Models, *, default_max_tokens: int, default_timeout_seconds: float) -> None:
        self._models = models
        self._default_max_tokens = default_max_tokens
        self._default_timeout_seconds = default_timeout_seconds

    async def generate(self, request: GenerationRequest) -> Generation:
        """The generation, once its first chunk is there.

        Refused before any tokenizing: unknown models (``ModelNotFound``), parameters that the engine
        cannot honour (``UnsupportedParameter``), full queues (``Overloaded``). An error before the first
        chunk is raised here, a later one by the generation. Cancelling aborts the sequence.
        """
        arrived = time.monotonic()
        deadline = self._deadline(request)
        try:
            async with asyncio.timeout_at(deadline):
                served = await self._models.find_loaded(request.model)
                generation = await self._admitted(served, request, arrived, deadline)
        except TimeoutError as error:
            raise DeadlineExceeded("The request's deadline passed before it could start.") from error
        await generation.wait_first()
        return generation

    async def tokenize(self, model: str, prompt: Prompt, *, add_special_tokens: bool = True) -> Tokenized:
        """Tokenize as ``generate`` would."""
        served = await self._models.find_loaded(model)
        handle, _, ready = served.use()
        try:
            tokens = await handle.tokenize(prompt, add_special_tokens=add_special_tokens)
        finally:
            served.release()
        return Tokenized(tokens.token_ids, tokens.strings, ready.facts.max_model_len)

    async def detokenize(self, model: str, token_ids: tuple[int, ...]) -> str:
        """Text of token ids, special tokens left out."""
        served = await self._models.find_loaded(model)
        handle, _, _ = served.use()
        try:
            return await handle.detokenize(token_ids)
        finally:
            served.release()

    def tokenizer_facts(self, model: str) -> TokenizerFacts:
        """What callers may know of a loaded model's tokenizer. Raises ``ModelNotReady``."""
        served = self._models.find(model)
        _, _, ready = served.use()
        served.release()
        return ready.tokenizer

    async def _admitted(
        self, served: ServedModel, request: GenerationRequest, arrived: float, deadline: float | None
    ) -> Generation:
        handle, gate, ready = served.use()
        sampling = request.sampling
        try:
            refuse_unsupported(sampling, ready.facts.unsupported, ready.facts.engine)
            await gate.acquire(sampling.n, priority=request.priority)
        except BaseException:
            served.release()
            raise

        def end() -> None:
            gate.release(sampling.n)
            served.release()

        try:
            # A conversation's answer may fill the context; a bare completion has no natural end.
            default_max_tokens = 0 if isinstance(request.prompt, ChatPrompt) else self._default_max_tokens
            flight = handle.submit(request.prompt, sampling, default_max_tokens)
        except BaseException:
            end()
            raise
        provenance = Provenance(
            request_id=request.id,
            model=served.config.name,
            version=served.config.version,
            engine=ready.facts.engine,
            created_unix_seconds=int(time.time()),
        )
        timing = Timing(queue_seconds=time.monotonic() - arrived)
        return Generation(provenance, flight, timing, deadline, end)

    def _deadline(self, request: GenerationRequest) -> float | None:
        seconds = request.timeout_seconds or self._default_timeout_seconds
        return asyncio.get_running_loop().time() + seconds if seconds else None
