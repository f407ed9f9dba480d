"""What the transformers adapter does when things go wrong, and which forward pass it takes."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from podium.config.engine import TransformersEngine
from podium.core.errors import (
    CheckpointInvalid,
    ConfigurationError,
    ContextLengthExceeded,
    InvalidRequest,
    MissingExtra,
    UnsupportedArchitecture,
)
from podium.engine.adapters.table import load_adapter
from podium.engine.interface import LoadContext
from support.engine_driver import run, sequence, tokens
from support.require import require

CONTEXT = LoadContext(report=lambda _stage, _ratio: None, eos_token_ids=frozenset({0}))
CPU = TransformersEngine(device="cpu", precision="f32", threads=1, max_batch_sequences=4)


def _checkpoint(folder: Path, shape: str) -> Path:
    require("torch")
    require("transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("models_factory").make_checkpoint(folder / shape, shape)  # type: ignore[no-any-return]


def _load(folder: Path, config: TransformersEngine = CPU) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_adapter("transformers").load(folder, config, CONTEXT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _checkpoint(tmp_path_factory.mktemp("engine"), "llama")


@pytest.fixture
def engine(folder: Path) -> Iterator[Any]:
    loaded = _load(folder)
    yield loaded
    loaded.close()


@pytest.mark.hf
@pytest.mark.parametrize("shape", ["gpt2", "llama", "qwen2", "mistral", "gemma", "phi", "opt"])
def test_ordinary_architectures_decode_in_one_batch(tmp_path: Path, shape: str) -> None:
    loaded = _load(_checkpoint(tmp_path, shape))
    assert type(loaded._forward).__name__ == "BatchedForward"
    loaded.close()


@pytest.mark.hf
def test_an_architecture_whose_batch_differs_is_decoded_one_by_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, engine: Any
) -> None:
    """A mask that forgets the padding is what the check at load is there for."""
    prompts = ((5, 6, 7), (9,), tuple(range(30, 50)))
    expected = [tokens(engine, sequence(prompt))[0] for prompt in prompts]
    cache = importlib.import_module("podium.engine.adapters.transformers_cache")
    torch = importlib.import_module("torch")
    honest = cache.PaddedCache.prepare_step
    monkeypatch.setattr(cache.PaddedCache, "prepare_step", lambda self: torch.ones_like(honest(self)))
    cautious = _load(folder)
    assert type(cautious._forward).__name__ == "SoloForward"
    assert tokens(cautious, *(sequence(prompt) for prompt in prompts)) == expected
    cautious.close()


@pytest.mark.hf
def test_a_prompt_longer_than_one_step_is_prefilled_in_pieces_with_the_same_result(engine: Any) -> None:
    prompt = [(7 * place) % 500 + 3 for place in range(150)]
    scored = sequence(prompt, max_tokens=6, logprobs=0, echo=True)
    whole = run(engine, scored)[0]
    engine._prefill_tokens = 32
    pieces = run(engine, sequence(prompt, max_tokens=6, logprobs=0, echo=True))[0]
    assert pieces.token_ids == whole.token_ids
    assert pieces.prompt_logprobs is not None
    assert whole.prompt_logprobs is not None
    assert [entry.logprob for entry in pieces.prompt_logprobs[1:]] == pytest.approx(
        [entry.logprob for entry in whole.prompt_logprobs[1:]], abs=1e-4
    )


@pytest.mark.hf
def test_running_sequences_go_on_while_a_long_prompt_is_prefilled(engine: Any) -> None:
    engine._prefill_tokens = 16
    talking, long = sequence((5, 6), max_tokens=40), sequence([9] * 160, max_tokens=2)
    engine.submit(talking)
    engine.step()
    engine.submit(long)
    while engine._waiting:
        outputs = engine.step()
        assert talking.id in {output.sequence_id for output in outputs}
    engine.abort(talking.id)
    engine.abort(long.id)


@pytest.mark.hf
def test_a_sequence_for_which_memory_is_missing_fails_alone(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = importlib.import_module("torch")
    expected = tokens(engine, sequence((5, 6, 7)))[0]
    honest = engine._forward.prefill

    def prefill(prompt: Any, count: int, *, all_positions: bool) -> Any:
        if len(prompt.token_ids) > 20:
            raise torch.OutOfMemoryError("tried to allocate 7 GiB")
        return honest(prompt, count, all_positions=all_positions)

    monkeypatch.setattr(engine._forward, "prefill", prefill)
    fine, big = run(engine, sequence((5, 6, 7)), sequence([9] * 30))
    assert fine.token_ids == expected
    assert big.error is not None
    assert "GiB" not in big.error[1]


@pytest.mark.hf
def test_when_a_step_runs_out_of_memory_the_youngest_sequence_gives_way(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = tokens(engine, sequence((5, 6, 7)))[0]
    honest = engine._forward.decode

    def decode(token_ids: list[int]) -> Any:
        if len(token_ids) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return honest(token_ids)

    monkeypatch.setattr(engine._forward, "decode", decode)
    answers = run(engine, *(sequence((5, 6, 7)) for _ in range(3)))
    assert [answer.error is None for answer in answers] == [True, True, False]
    assert [answer.token_ids for answer in answers[:2]] == [expected, expected]


@pytest.mark.hf
def test_another_failure_of_a_step_is_not_swallowed(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(_token_ids: list[int]) -> Any:
        raise RuntimeError("a kernel failed")

    monkeypatch.setattr(engine._forward, "decode", decode)
    with pytest.raises(RuntimeError, match="kernel"):
        run(engine, sequence((5, 6, 7)))


@pytest.mark.hf
def test_memory_of_the_cache_is_given_back_when_the_batch_is_empty(engine: Any) -> None:
    run(engine, *(sequence((5, 6, 7), max_tokens=30) for _ in range(4)))
    assert engine._forward._rows.layers == []
    assert engine.gauges().kv_cache_usage_ratio == 0.0


@pytest.mark.hf
@pytest.mark.parametrize(
    ("bad", "kind", "param"),
    [
        (sequence(()), InvalidRequest, "prompt"),
        (sequence((5, 512)), InvalidRequest, "prompt"),
        (sequence((-1,)), InvalidRequest, "prompt"),
        (sequence([7] * 256), ContextLengthExceeded, "prompt"),
        (sequence((5,), logit_bias={512: 1.0}), InvalidRequest, "logit_bias"),
    ],
)
def test_what_can_never_run_is_refused_at_submit(engine: Any, bad: Any, kind: type[InvalidRequest], param: str) -> None:
    with pytest.raises(kind) as caught:
        engine.submit(bad)
    assert caught.value.param == param
    assert not engine.has_unfinished()


@pytest.mark.hf
def test_a_sequence_ends_with_the_context(engine: Any) -> None:
    (answer,) = run(engine, sequence([7] * 250, max_tokens=100))
    assert (len(answer.token_ids), answer.finish_reason) == (6, "length")


@pytest.mark.hf
def test_a_smaller_context_can_be_set_and_a_larger_one_cannot(folder: Path) -> None:
    for wanted, expected in ((64, 64), (100_000, 256)):
        loaded = load_adapter("transformers").load(
            folder, CPU, LoadContext(report=lambda _stage, _ratio: None, max_model_len=wanted)
        )
        assert loaded.facts.max_model_len == expected
        loaded.close()


@pytest.mark.hf
@pytest.mark.parametrize("device", ["cuda:7", "teapot"])
def test_a_device_that_is_not_there_is_a_configuration_error(folder: Path, device: str) -> None:
    with pytest.raises(ConfigurationError, match=r"engine\.device"):
        _load(folder, TransformersEngine(device=device))


@pytest.mark.hf
def test_an_unknown_architecture_and_missing_weights_are_told_apart(tmp_path: Path) -> None:
    broken = _checkpoint(tmp_path, "llama")
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").unlink()
    with pytest.raises(CheckpointInvalid):
        _load(broken)
    (broken / "model.safetensors").write_bytes(weights[:-9])
    with pytest.raises(CheckpointInvalid):
        _load(broken)
    (broken / "config.json").write_text('{"model_type": "nobody-knows-this"}')
    with pytest.raises(UnsupportedArchitecture):
        _load(broken)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = importlib.import_module("podium.engine.adapters.transformers")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"podium\[hf\]"):
        module.load(tmp_path, CPU, CONTEXT)
