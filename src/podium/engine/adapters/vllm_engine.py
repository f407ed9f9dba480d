"""The running vLLM engine behind ``Engine``. Imports vLLM: only after ``prepare_environment``."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import vllm
from vllm import AsyncEngineArgs
from vllm.exceptions import VLLMClientError
from vllm.inputs import tokens_input
from vllm.platforms import current_platform
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError
from vllm.v1.metrics.loggers import StatLoggerBase

from podium.core.errors import ContextLengthExceeded, EngineCrashed, EngineError, InvalidRequest, PodiumError
from podium.core.generation import FinishReason
from podium.engine.adapters import vllm_logprobs
from podium.engine.adapters.group_reaper import GroupReaper
from podium.engine.adapters.stepped_loop import SteppedLoop
from podium.engine.adapters.vllm_parameters import translate
from podium.engine.interface import EngineFacts, EngineGauges, EngineSequence, SequenceOutput

POLL_SECONDS = 0.005  # longest wait of a new request while others generate
SILENCE_SECONDS = 1.0  # after this long without progress a step blocks, so that the stall watch sees it
SHUTDOWN_SECONDS = 10.0
KILL_AFTER_SECONDS = 1.0
FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


class Progress(StatLoggerBase):  # type: ignore[misc]  # vLLM is not installed where types are checked
    """Takes vLLM's report of each engine step: queue lengths, KV use, and that a step was made."""

    def __init__(self, loop: SteppedLoop) -> None:
        self.steps = 0
        self.gauges = EngineGauges()
        self._loop = loop

    def record(self, scheduler_stats: Any, iteration_stats: Any, *_: object, **__: object) -> None:
        """One engine step."""
        del iteration_stats
        self.steps += 1
        self._loop.interrupt()
        if scheduler_stats is not None:
            self.gauges = EngineGauges(
                running=scheduler_stats.num_running_reqs,
                waiting=scheduler_stats.num_waiting_reqs,
                kv_cache_usage_ratio=scheduler_stats.kv_cache_usage,
            )

    def log_engine_initialized(self) -> None:
        """Nothing to say."""


class VLLM:
    """``Engine`` over ``AsyncLLM``: vLLM computes in a process of its own, this side waits for it."""

    def __init__(self, arguments: Mapping[str, Any], reaper: GroupReaper) -> None:
        self._reaper = reaper
        self._loop = SteppedLoop()
        self._progress = Progress(self._loop)
        self._crashed = False
        self._last_progress = (0, time.monotonic())
        self._llm = self._loop.run(self._start(arguments))
        self.facts = _facts(self._llm)

    async def _start(self, arguments: Mapping[str, Any]) -> AsyncLLM:
        """Within the loop, because vLLM starts its own tasks in the loop that it finds."""
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments), stat_loggers=[lambda *_: self._progress])

    def submit(self, sequence: EngineSequence) -> None:
        """Accept a sequence. Raises ``InvalidRequest`` for values that vLLM refuses."""
        if len(sequence.token_ids) + sequence.max_tokens > self.facts.max_model_len:
            raise ContextLengthExceeded(
                f"Prompt and output together exceed the context of {self.facts.max_model_len} tokens.",
                param="max_tokens",
            )
        if not self._loop.busy:
            self._last_progress = (self._progress.steps, time.monotonic())
        self._loop.start(sequence.id, self._generate(sequence, translate(sequence)))

    def abort(self, sequence_id: int) -> None:
        """Drop a sequence; vLLM has been told when this returns."""
        self._loop.cancel(sequence_id)

    def has_unfinished(self) -> bool:
        """Whether something generates, or the engine has died and ``step`` would say so."""
        return self._loop.busy or self._llm.errored

    def step(self) -> list[SequenceOutput]:
        """What vLLM produced since the last call; waits at most ``POLL_SECONDS``.

        While vLLM reports no step for ``SILENCE_SECONDS`` this blocks until it does, as an engine's long
        step would. Raises ``EngineCrashed`` once every sequence has been told of the crash.
        """
        outputs = self._loop.step(self._patience())
        if not outputs and (self._crashed or self._llm.errored) and not self._loop.busy:
            raise EngineCrashed("vLLM's engine process has ended.")
        return outputs

    def _patience(self) -> float | None:
        steps, since = self._last_progress
        now = time.monotonic()
        if steps != self._progress.steps:
            self._last_progress = (self._progress.steps, now)
            return POLL_SECONDS
        # Bounded all the same once the engine is dead: nothing would ever wake the loop.
        return None if now - since > SILENCE_SECONDS and not self._llm.errored else POLL_SECONDS

    def gauges(self) -> EngineGauges:
        """As vLLM reported after its latest step."""
        return self._progress.gauges

    def close(self) -> None:
        """Stop vLLM and see its processes gone: asked first, then killed."""
        self._loop.cancel_all()
        self._llm.shutdown(timeout=SHUTDOWN_SECONDS)
        self._loop.close()
        self._reaper.end_group(grace_seconds=KILL_AFTER_SECONDS)
        self._reaper.release()

    async def _generate(self, sequence: EngineSequence, parameters: vllm.SamplingParams) -> None:
        try:
            async for output in self._outputs(sequence, parameters):
                self._loop.emit(_convert(sequence, output))
        except PodiumError as error:
            self._loop.emit(SequenceOutput(sequence_id=sequence.id, error=(error.code, error.message)))

    async def _outputs(self, sequence: EngineSequence, parameters: vllm.SamplingParams) -> AsyncIterator[Any]:
        """One ``RequestOutput`` after the other; foreign errors become Podium's here."""
        prompt = tokens_input(list(sequence.token_ids))
        try:
            async for output in self._llm.generate(prompt, parameters, request_id=str(sequence.id)):
                yield output
        except EngineDeadError as error:
            self._crashed = True
            raise EngineCrashed("The engine process ended while the request was running.") from error
        except (VLLMClientError, ValueError) as error:
            raise InvalidRequest(_refusal(sequence)) from error
        except EngineGenerateError as error:
            raise EngineError("The engine failed while it worked on this request.") from error


def _convert(sequence: EngineSequence, output: Any) -> SequenceOutput:
    """One ``RequestOutput`` with a single ``CompletionOutput`` that holds what is new."""
    new = output.outputs[0]
    result = SequenceOutput(sequence_id=sequence.id, cached_tokens=output.num_cached_tokens)
    count = sequence.sampling.logprobs
    if count is not None and output.prompt_logprobs:
        result.prompt_logprobs = vllm_logprobs.of_prompt(sequence.token_ids, output.prompt_logprobs, count)
    if sequence.max_tokens > 0:
        result.token_ids = tuple(new.token_ids)
        if count is not None:
            result.logprobs = vllm_logprobs.sampled(result.token_ids, new.logprobs, count)
    if new.finish_reason in FINISH:
        result.finish_reason = FINISH[new.finish_reason] if sequence.max_tokens > 0 else "length"
    elif new.finish_reason is not None:
        result.error = ("engine_error", "The engine gave up on this request.")
    return result


def _refusal(sequence: EngineSequence) -> str:
    if sequence.sampling.constraint is not None:
        return (
            "The engine cannot enforce this constraint: it uses a construct that the grammar compiler does not "
            "know. Simplify the schema or the regular expression."
        )
    return "The engine refused a value of the request; its log names the value."


def _facts(llm: AsyncLLM) -> EngineFacts:
    model, cache, scheduler = llm.model_config, llm.vllm_config.cache_config, llm.vllm_config.scheduler_config
    return EngineFacts(
        engine="vllm",
        engine_version=vllm.__version__,
        device=current_platform.device_type,
        precision=PRECISIONS.get(str(model.dtype).removeprefix("torch."), str(model.dtype)),
        max_model_len=model.max_model_len,
        max_batch_sequences=scheduler.max_num_seqs,
        kv_cache_tokens=(cache.num_gpu_blocks or 0) * cache.block_size,
    )
