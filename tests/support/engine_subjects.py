"""The engines under contract, each with a way to load it on a tiny checkpoint."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.config.engine import EchoEngine, OpenVINOEngine, TransformersEngine, VLLMEngine
from podium.engine.adapters import table
from podium.engine.interface import Engine, LoadContext
from support.require import require

EOS = 0
PRINCIPAL_SHAPE = "llama"

_CONVERT_ALL = """
import pathlib, sys
from podium.models.convert_process import convert
for source, output in zip(sys.argv[1::2], sys.argv[2::2]):
    convert(pathlib.Path(source), pathlib.Path(output), "f32", lambda line: None, trust=False)
"""


@dataclass(frozen=True)
class Subject:
    """One loaded engine. ``is_model`` is False for ``echo``, which has no distribution to compare with."""

    name: str
    engine: Engine
    is_model: bool = True

    def refuses(self, parameter: str) -> bool:
        """Whether the engine cannot honour ``parameter``; its facts must then name an engine that can."""
        other = self.engine.facts.unsupported.get(parameter)
        if other is None:
            return False
        assert other in set(table.ADAPTERS) - {self.name}, f"{parameter}: {other} is no other engine"
        return True


class Checkpoints:
    """Tiny checkpoints of a test session, made when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def torch(self, shape: str) -> Path:
        """Safetensors and tokenizer."""
        import models_factory  # noqa: PLC0415  # needs torch

        folder = self.folder / shape
        if not folder.is_dir():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                models_factory.make_checkpoint(folder, shape)
        return folder

    def openvino(self, shape: str) -> Path:
        """The same weights as IR at f32. The first call converts every shape: importing the converter is slow."""
        import models_factory  # noqa: PLC0415

        if not (self._ir(shape) / "openvino_model.xml").is_file():
            pairs = [(self.torch(name), self._ir(name)) for name in models_factory.SHAPES]
            arguments = [str(path) for pair in pairs for path in pair]
            subprocess.run([sys.executable, "-c", _CONVERT_ALL, *arguments], check=True, capture_output=True)
        return self._ir(shape)

    def _ir(self, shape: str) -> Path:
        folder = self.folder / f"{shape}-ir"
        folder.mkdir(exist_ok=True)
        return folder


class Reference:
    """The same weights in plain torch: logits and ``generate``, f32, one sequence at a time."""

    def __init__(self, folder: Path) -> None:
        import torch  # noqa: PLC0415
        import transformers  # noqa: PLC0415

        self._torch = torch
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def greedy(self, prompt: tuple[int, ...], count: int) -> list[int]:
        """What ``model.generate`` answers, without stopping."""
        ids = self._torch.tensor([prompt])
        with self._torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = self._model.generate(
                ids,
                attention_mask=self._torch.ones_like(ids),
                max_new_tokens=count,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=1,
            )
        answer: list[int] = out[0, len(prompt) :].tolist()
        return answer

    def logits(self, token_ids: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Logits after each token: f64, shape (tokens, vocabulary)."""
        with self._torch.inference_mode():
            logits = self._model(self._torch.tensor([list(token_ids)])).logits[0]
        result: np.ndarray[Any, np.dtype[np.float64]] = logits.double().numpy()
        return result

    def probabilities(self, prompt: tuple[int, ...], temperature: float = 1.0) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The next token's distribution: f64, shape (vocabulary,)."""
        return softmax(self.logits(prompt)[-1] / temperature)


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Over the last axis, in f64."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: np.ndarray[Any, np.dtype[np.float64]] = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def load_echo(_checkpoints: Checkpoints, _shape: str) -> Engine:
    """Needs nothing."""
    return table.load_adapter("echo").load(Path("none"), EchoEngine(max_model_len=256), _context())


def load_transformers(checkpoints: Checkpoints, shape: str) -> Engine:
    """Needs podium[hf]."""
    _require_hf()
    # One thread: two that spin against other processes are many times slower on so small a model.
    config = TransformersEngine(precision="f32", device="cpu", threads=1, max_batch_sequences=8)
    folder = checkpoints.torch(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return table.load_adapter("transformers").load(folder, config, _context())


def load_openvino(checkpoints: Checkpoints, shape: str) -> Engine:
    """Needs podium[hf] to make its model."""
    _require_hf()
    require("openvino_genai")
    config = OpenVINOEngine(precision="f32", max_batch_sequences=8, threads=1)
    return table.load_adapter("openvino").load(checkpoints.openvino(shape), config, _context())


def load_vllm(checkpoints: Checkpoints, shape: str) -> Engine:
    """Runs only where this suite is started by an interpreter that has vLLM."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not in this environment: run tests/contract/engine with PODIUM_TEST_VLLM_PYTHON")
    config = VLLMEngine(precision="f32", max_batch_sequences=8, eager=True, kv_cache_bytes=256 * 1024**2)
    return table.load_adapter("vllm").load(checkpoints.torch(shape), config, _context())


LOADERS: dict[str, Callable[[Checkpoints, str], Engine]] = {
    "echo": load_echo,
    "transformers": load_transformers,
    "openvino": load_openvino,
    "vllm": load_vllm,
}


def _require_hf() -> None:
    for module in ("torch", "transformers", "optimum"):
        require(module)


def _context() -> LoadContext:
    return LoadContext(report=lambda _stage, _ratio: None, eos_token_ids=frozenset({EOS}))
