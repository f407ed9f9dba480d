"""What an engine says about itself."""

from __future__ import annotations

from podium.engine.adapters.table import ADAPTERS
from support.engine_subjects import Subject

PARAMETERS = {
    "constraint", "echo", "frequency_penalty", "ignore_eos", "logit_bias", "logprobs", "min_p", "min_tokens", "n",
    "presence_penalty", "repetition_penalty", "seed", "stop", "stop_token_ids", "temperature", "top_k", "top_logprobs",
    "top_p",
}  # fmt: skip


def test_an_engine_carries_its_own_name_and_a_version(subject: Subject) -> None:
    assert subject.engine.facts.engine == subject.name
    assert subject.engine.facts.engine_version


def test_limits_are_positive(subject: Subject) -> None:
    assert subject.engine.facts.max_model_len == 256
    assert subject.engine.facts.max_batch_sequences >= 1


def test_what_is_unsupported_is_a_real_parameter_with_another_engine_that_has_it(subject: Subject) -> None:
    for parameter, other in subject.engine.facts.unsupported.items():
        assert parameter in PARAMETERS
        assert other in ADAPTERS
        assert other != subject.name


def test_the_kv_cache_share_is_a_ratio(subject: Subject) -> None:
    assert 0.0 <= subject.engine.gauges().kv_cache_usage_ratio <= 1.0
