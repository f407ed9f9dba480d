"""openvino-genai's continuous batching: the default engine on a CPU.

Facts this adapter rests on (openvino-genai 2026.4, see ``docs/decisions``): ``step`` keeps the GIL, so it
is called around the binding (``openvino_step``); a seed belongs to its request, whatever else is in the
batch; log probabilities are those of the chosen token only; cached prefix blocks are looked up when a
request is added, which is why requests that share a prefix with one still in prefill wait for it
(``prefix_gate``).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino_genai as genai

from podium.config.engine import OpenVINOEngine
from podium.core.errors import CheckpointInvalid, InvalidRequest, MemoryBudgetExceeded, UnsupportedParameter
from podium.core.generation import Constraint
from podium.engine.adapters.openvino_grammar import GrammarChecker
from podium.engine.adapters.openvino_settings import MODEL_FILE, config_members, settings_for
from podium.engine.adapters.openvino_step import step_of
from podium.engine.adapters.prefix_gate import PrefixGate
from podium.engine.interface import (
    EngineFacts,
    EngineGauges,
    EngineSequence,
    LoadContext,
    RawLogprob,
    SequenceOutput,
)

SEEDS = 2**63  # the pipeline takes no negative seed
TOKENIZER_FILE = "openvino_tokenizer.xml"
FINISH = {
    genai.GenerationFinishReason.STOP: "stop",
    genai.GenerationFinishReason.LENGTH: "length",
}


class _Active:
    """A sequence inside the pipeline, and how much of an echoed prompt is still to come."""

    def __init__(self, sequence: EngineSequence, handle: Any) -> None:
        self.sequence = sequence
        self.handle = handle
        self.prompt_logprobs: list[RawLogprob] | None = [] if _echoes_logprobs(sequence) else None


class OpenVINO:
    """See the module's docstring; ``Engine`` of ``podium.engine.interface``."""

    def __init__(self, pipeline: Any, facts: EngineFacts) -> None:
        self.facts = facts
        self._pipeline = pipeline
        self._advance = step_of(pipeline)
        self._active: dict[int, _Active] = {}
        self._immediate: list[SequenceOutput] = []
        self._gate = PrefixGate()
        self._step_needed = False

    def submit(self, sequence: EngineSequence) -> None:
        """Accept a sequence; it enters the pipeline now, or when its prefix has been computed."""
        _check(sequence)
        if sequence.max_tokens == 0 and not _echoes_logprobs(sequence):
            self._immediate.append(SequenceOutput(sequence_id=sequence.id, finish_reason="length"))
        elif self._gate.admit(sequence):
            self._add(sequence)

    def abort(self, sequence_id: int) -> None:
        """Drop a sequence; its blocks are free after the next step."""
        self._readmit(self._gate.leave(sequence_id))
        active = self._active.pop(sequence_id, None)
        if active is not None:
            active.handle.cancel()
            self._step_needed = True

    def has_unfinished(self) -> bool:
        """Whether anything runs, waits, or has to be cleaned up."""
        return bool(self._active or self._immediate or self._step_needed)

    def step(self) -> list[SequenceOutput]:
        """Advance the batch once."""
        outputs, self._immediate = self._immediate, []
        self._step_needed = False
        if self._pipeline.has_non_finished_requests():
            self._advance()
        for active in list(self._active.values()):
            output = self._read(active)
            if output is not None:
                outputs.append(output)
        return outputs

    def gauges(self) -> EngineGauges:
        """From the pipeline's own counters, which tell of its last step: what has ended since is taken off."""
        metrics = self._pipeline.get_metrics()
        running = min(metrics.scheduled_requests, len(self._active))
        return EngineGauges(
            running=running,
            waiting=len(self._active) - running + self._gate.waiting,
            kv_cache_usage_ratio=metrics.cache_usage / 100,
        )

    def close(self) -> None:
        """Drop the pipeline, and its memory with it."""
        self._gate = PrefixGate()
        for sequence_id in list(self._active):
            self.abort(sequence_id)
        if self._pipeline.has_non_finished_requests():
            self._advance()  # the pipeline gives aborted sequences' blocks back in its next step
        self._immediate.clear()
        self._step_needed = False
        self._pipeline = None

    def _readmit(self, followers: Sequence[EngineSequence]) -> None:
        """Their leader ended before its prefix was computed: one of them leads now."""
        self._enter([follower for follower in followers if self._gate.admit(follower)])

    def _enter(self, sequences: Sequence[EngineSequence]) -> None:
        for sequence in sequences:
            try:
                self._add(sequence)
            except InvalidRequest as error:
                self._immediate.append(SequenceOutput(sequence_id=sequence.id, error=(error.code, error.message)))

    def _add(self, sequence: EngineSequence) -> None:
        tensor = ov.Tensor(np.array([sequence.token_ids], dtype=np.int64))
        try:
            handle = self._pipeline.add_request(sequence.id, tensor, _generation_config(sequence))
        except RuntimeError as error:
            self._gate.leave(sequence.id)
            if sequence.sampling.constraint is not None:
                raise InvalidRequest("The schema or regex is not one that this engine can compile.") from error
            raise InvalidRequest("The engine refused the request's parameters.") from error
        self._active[sequence.id] = _Active(sequence, handle)

    def _read(self, active: _Active) -> SequenceOutput | None:
        """What is new for one sequence, or None."""
        sequence_id = active.sequence.id
        output = SequenceOutput(sequence_id=sequence_id)
        read = False
        while active.handle.can_read():
            read = True
            for piece in active.handle.read().values():
                _append(output, active, piece)
        if not read:
            return self._lost(active)
        self._enter(self._gate.first_token(sequence_id))
        if output.finish_reason is not None:
            del self._active[sequence_id]
            self._gate.leave(sequence_id)
            self._step_needed = self._pipeline.has_non_finished_requests()
        elif not output.token_ids:
            return None
        return output

    def _lost(self, active: _Active) -> SequenceOutput | None:
        """The pipeline ignores a request whose prompt can never fit its KV cache."""
        if active.handle.get_status() != genai.GenerationStatus.IGNORED:
            return None
        del self._active[active.sequence.id]
        self._readmit(self._gate.leave(active.sequence.id))
        message = "The KV cache is too small for this prompt: raise engine.kv_cache_bytes."
        return SequenceOutput(sequence_id=active.sequence.id, error=("context_length_exceeded", message))


def _append(output: SequenceOutput, active: _Active, piece: Any) -> None:
    """Add one piece of the pipeline's output, the echoed prompt's log probabilities apart."""
    ids: list[int] = list(piece.generated_ids)
    logprobs: list[float] = list(piece.generated_log_probs)
    if active.prompt_logprobs is not None:
        missing = len(active.sequence.token_ids) - len(active.prompt_logprobs)
        for token_id, logprob in zip(ids[:missing], logprobs[:missing], strict=True):
            first = not active.prompt_logprobs
            active.prompt_logprobs.append(RawLogprob(token_id=token_id, logprob=None if first else logprob))
        ids, logprobs = ids[missing:], logprobs[missing:]
        if len(active.prompt_logprobs) == len(active.sequence.token_ids):
            output.prompt_logprobs, active.prompt_logprobs = active.prompt_logprobs, None
    output.token_ids = (*output.token_ids, *ids)
    wanted = active.sequence.sampling.logprobs
    if wanted is not None:
        output.logprobs = [*(output.logprobs or ()), *_raw_logprobs(ids, logprobs, wanted)]
    output.finish_reason = FINISH.get(piece.finish_reason)  # type: ignore[assignment]


def _raw_logprobs(ids: list[int], logprobs: list[float], wanted: int) -> list[RawLogprob]:
    return [
        RawLogprob(token_id=token_id, logprob=logprob, top=((token_id, logprob),) if wanted else ())
        for token_id, logprob in zip(ids, logprobs, strict=True)
    ]


def _echoes_logprobs(sequence: EngineSequence) -> bool:
    return sequence.sampling.echo and sequence.sampling.logprobs is not None


def _check(sequence: EngineSequence) -> None:
    """Refuse what depends on several parameters together; single ones are in ``facts.unsupported``."""
    sampling = sequence.sampling
    wanted = sampling.logprobs or 0
    if wanted > 1 or (wanted == 1 and (sampling.echo or not sampling.is_greedy)):
        raise UnsupportedParameter(
            "The openvino engine knows the chosen token's log probability only: ask for logprobs without alternatives "
            "(top_logprobs 0), or serve the model with the transformers engine.",
            param="top_logprobs",
        )


def _generation_config(sequence: EngineSequence) -> Any:
    sampling = sequence.sampling
    config = genai.GenerationConfig()
    config.max_new_tokens = sequence.max_tokens
    config.min_new_tokens = min(sampling.min_tokens, sequence.max_tokens)
    config.stop_token_ids = set(sequence.stop_token_ids)
    config.ignore_eos = not sequence.stop_token_ids
    config.repetition_penalty = sampling.repetition_penalty
    config.presence_penalty = sampling.presence_penalty
    config.frequency_penalty = sampling.frequency_penalty
    config.logprobs = 0 if sampling.logprobs is None else 1
    config.echo = _echoes_logprobs(sequence)
    config.do_sample = not sampling.is_greedy
    if config.do_sample:
        config.temperature = sampling.temperature
        config.top_p = sampling.top_p
        config.min_p = sampling.min_p
        config.rng_seed = secrets.randbits(31) if sampling.seed is None else sampling.seed % SEEDS
        if sampling.top_k:
            config.top_k = sampling.top_k
    if sampling.constraint is not None:
        structured = genai.StructuredOutputConfig()
        setattr(structured, sampling.constraint.kind, sampling.constraint.source)
        config.structured_output_config = structured
    return config


def _scheduler(settings: dict[str, Any]) -> Any:
    scheduler = genai.SchedulerConfig()
    for name, value in settings.items():
        setattr(scheduler, name, value)
    return scheduler


def constraint_check(model_dir: Path) -> Callable[[Constraint], None]:
    """Grammars are compiled in a disposable process before the engine's own step compiles them."""
    return GrammarChecker(model_dir).check


def context_length(model_dir: Path) -> int:
    """The checkpoint's context in tokens, from its config.json."""
    members = config_members(model_dir)
    for name in ("max_position_embeddings", "n_positions", "n_ctx", "seq_length"):
        if isinstance(members.get(name), int):
            return int(members[name])
    raise CheckpointInvalid("config.json does not tell the context length: set models[].max_model_len.")


def load(model_dir: Path, config: OpenVINOEngine, context: LoadContext) -> OpenVINO:
    """Load an OpenVINO IR folder. Raises ``CheckpointInvalid`` or ``MemoryBudgetExceeded``."""
    if not (model_dir / MODEL_FILE).is_file():
        raise CheckpointInvalid(
            f"There is no {MODEL_FILE} in the model folder: convert it with `podium models convert`."
        )
    max_model_len = context.max_model_len or context_length(model_dir)
    settings = settings_for(model_dir, config)
    context.report("compiling", -1)
    try:
        pipeline = genai.ContinuousBatchingPipeline(
            model_dir, _scheduler(settings.scheduler), "CPU", settings.properties
        )
    except MemoryError as error:
        raise MemoryBudgetExceeded("The model and its KV cache do not fit this machine's memory.") from error
    except RuntimeError as error:
        if "kvcache" in str(error):
            raise CheckpointInvalid(
                f"This CPU cannot keep a {settings.properties['KV_CACHE_PRECISION']} KV cache beside this arithmetic: "
                "set engine.kv_cache_precision to auto."
            ) from error
        raise CheckpointInvalid("OpenVINO cannot read this IR: it is damaged or made by a newer version.") from error
    unsupported = {"logit_bias": "transformers"}
    if not (model_dir / TOKENIZER_FILE).is_file():
        unsupported["constraint"] = "transformers"
    facts = EngineFacts(
        engine="openvino",
        engine_version=genai.__version__,
        device="CPU",
        precision=settings.arithmetic,
        max_model_len=max_model_len,
        max_batch_sequences=config.max_batch_sequences,
        kv_cache_tokens=settings.kv_cache_tokens,
        unsupported=unsupported,
    )
    return OpenVINO(pipeline, facts)
