"""engine: auto."""

from __future__ import annotations

import pytest

from podium.config.engine import AutoEngine, EchoEngine, Engine
from podium.core.errors import MissingExtra
from podium.models.selection import Machine, choose

BASE = frozenset({"openvino", "remote", "echo"})


@pytest.mark.parametrize(
    ("has_gpu", "extra", "is_ir", "expected"),
    [
        (False, (), True, "openvino"),
        (True, ("vllm", "transformers"), True, "openvino"),
        (True, ("vllm", "transformers"), False, "vllm"),
        (True, ("transformers",), False, "transformers"),
        (False, ("transformers",), False, "openvino"),
        (False, ("vllm", "transformers"), False, "openvino"),
    ],
)
def test_the_engine_follows_device_format_and_installation(
    *,
    has_gpu: bool,
    extra: tuple[str, ...],
    is_ir: bool,
    expected: str,
) -> None:
    choice = choose(AutoEngine(), is_openvino_ir=is_ir, machine=Machine(has_gpu, BASE | set(extra)))
    assert choice.engine.kind == expected
    assert choice.reason


@pytest.mark.parametrize("has_gpu", [False, True])
def test_encoder_decoders_run_on_transformers_whatever_else_is_there(*, has_gpu: bool) -> None:
    machine = Machine(has_gpu, BASE | {"vllm", "transformers"})
    choice = choose(AutoEngine(), is_openvino_ir=False, machine=machine, task="text2text_generation")
    assert (choice.engine.kind, choice.reason.partition(" ")[0]) == ("transformers", "encoder-decoders")
    with pytest.raises(MissingExtra, match=r"pip install 'podium\[hf\]'"):
        choose(AutoEngine(), is_openvino_ir=False, machine=Machine(has_gpu, BASE), task="text2text_generation")


def test_without_the_extra_the_command_that_mends_it_is_named() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'podium\[hf\]'"):
        choose(AutoEngine(), is_openvino_ir=False, machine=Machine(has_gpu=False, installed=BASE))


def test_a_configured_engine_is_taken_as_it_is() -> None:
    wanted: Engine = EchoEngine(max_model_len=99)
    assert choose(wanted, is_openvino_ir=False, machine=Machine(has_gpu=True, installed=BASE)).engine is wanted
