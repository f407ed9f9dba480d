"""Podium's sampling parameters in vLLM's words. Imports vLLM: only for ``vllm_engine``."""

from __future__ import annotations

from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

from podium.core.errors import InvalidRequest
from podium.core.generation import Constraint
from podium.engine.interface import EngineSequence

MINIMUM_TEMPERATURE = 0.01  # vLLM raises lower ones to this; greedy is 0
MAXIMUM_TEMPERATURE = 2.0
MAXIMUM_PENALTY = 2.0


def translate(sequence: EngineSequence) -> SamplingParams:
    """VLLM's parameters for one sequence. Raises ``InvalidRequest`` for a value that vLLM refuses.

    End-of-sequence ids are among the sequence's stop ids, so vLLM's own notion of them is switched off;
    a constraint needs it, because the grammar ends with it.
    """
    sampling = sequence.sampling
    _check(sequence)
    return SamplingParams(
        max_tokens=max(sequence.max_tokens, 1),  # 0 (score the prompt only) is cut off by the engine
        min_tokens=min(sampling.min_tokens, max(sequence.max_tokens, 1)),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        seed=None if sampling.is_greedy else sampling.seed,  # a generator for each greedy row would cost for nothing
        stop_token_ids=sorted(sequence.stop_token_ids),
        ignore_eos=sampling.constraint is None,
        logprobs=sampling.logprobs,
        prompt_logprobs=sampling.logprobs if sampling.echo else None,
        logit_bias=dict(sampling.logit_bias) or None,
        structured_outputs=_structured(sampling.constraint),
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
        skip_clone=True,
    )


def _structured(constraint: Constraint | None) -> StructuredOutputsParams | None:
    if constraint is None:
        return None
    if constraint.kind == "regex":
        return StructuredOutputsParams(regex=constraint.source)
    return StructuredOutputsParams(json=constraint.source)


def _check(sequence: EngineSequence) -> None:
    sampling = sequence.sampling
    if not 0.0 <= sampling.temperature <= MAXIMUM_TEMPERATURE:
        raise InvalidRequest(f"temperature must be 0 to {MAXIMUM_TEMPERATURE:g} here.", param="temperature")
    for name, value in (
        ("presence_penalty", sampling.presence_penalty),
        ("frequency_penalty", sampling.frequency_penalty),
    ):
        if not -MAXIMUM_PENALTY <= value <= MAXIMUM_PENALTY:
            raise InvalidRequest(f"{name} must be -{MAXIMUM_PENALTY:g} to {MAXIMUM_PENALTY:g} here.", param=name)
    if sampling.constraint is not None and sampling.ignore_eos:
        raise InvalidRequest(
            "ignore_eos cannot go with a constraint: the constrained text ends by the end-of-sequence token.",
            param="ignore_eos",
        )
