"""The one-shot engines under contract, each with a way to load it on a checkpoint."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from podium.config.engine import EchoEngine, Engine, OpenVINOEngine, TransformersEngine
from podium.config.models import Embedding, Model
from podium.core.one_shot import Task
from podium.engine.adapters.table import load_one_shot_adapter
from podium.engine.interface import LoadContext
from podium.engine.one_shot import EmbeddingPlan, OneShotEngine, OneShotLoad
from podium.models.checkpoint import inspect
from podium.models.runnable import plan_of
from podium.models.sentence_embedding import embedding_plan
from podium.models.task import task_of
from podium.models.task_plans import classification_plan
from support.require import require
from support.sentence_models import minilm_folder

MINILM = "minilm"
_CONVERT_ALL = """
import pathlib, sys
from podium.models.convert_process import convert
for task, source, output in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3]):
    convert(pathlib.Path(source), pathlib.Path(output), "f32", lambda line: None, trust=False, task=task)
"""


@dataclass(frozen=True)
class OneShotSubject:
    """One loaded engine."""

    name: str
    engine: OneShotEngine


class Encoders:
    """Encoders of a test session, made and converted when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def torch(self, shape: str) -> Path:
        """Safetensors and tokenizer."""
        import models_factory  # noqa: PLC0415  # needs torch

        if shape == MINILM:
            return minilm_folder()
        folder = self.folder / shape
        if not folder.is_dir():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                models_factory.make_encoder(folder, shape)
        return folder

    def openvino(self, shape: str) -> Path:
        """The same weights as IR at f32. The first call converts every shape: importing the converter is slow."""
        import models_factory  # noqa: PLC0415

        if not (self._ir(shape) / "openvino_model.xml").is_file():
            pairs = [(self.torch(name), self._ir(name)) for name in (MINILM, *models_factory.ENCODERS)]
            _convert("embed", pairs)
        return self._ir(shape)

    def torch_classifier(self, name: str) -> Path:
        """Safetensors and tokenizer of a classifier."""
        import models_factory  # noqa: PLC0415

        folder = self.folder / name
        if not folder.is_dir():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                models_factory.make_classifier(folder, name)
        return folder

    def openvino_classifier(self, name: str) -> Path:
        """The same weights as IR at f32. The first call converts all."""
        import models_factory  # noqa: PLC0415

        if not (self._ir(name) / "openvino_model.xml").is_file():
            pairs = [(self.torch_classifier(one), self._ir(one)) for one in models_factory.CLASSIFIERS]
            _convert("classify", pairs)
        return self._ir(name)

    def torch_head(self, name: str) -> Path:
        """Safetensors and tokenizer of an encoder with another head."""
        import models_factory  # noqa: PLC0415

        folder = self.folder / name
        if not folder.is_dir():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                models_factory.make_head(folder, name)
        return folder

    def openvino_head(self, name: str) -> Path:
        """The same weights as IR at f32. The first call converts all, in one process."""
        import models_factory  # noqa: PLC0415

        if not (self._ir(name) / "openvino_model.xml").is_file():
            _convert_each(
                [(task_in(self.torch_head(one)), self.torch_head(one), self._ir(one)) for one in models_factory.HEADS]
            )
        return self._ir(name)

    def plan(self, shape: str, settings: Embedding) -> EmbeddingPlan:
        """What the checkpoint says, under ``settings``."""
        return embedding_plan(settings, self.torch(shape))

    def _ir(self, shape: str) -> Path:
        folder = self.folder / f"{shape}-ir"
        folder.mkdir(exist_ok=True)
        return folder


def _convert(task: str, pairs: list[tuple[Path, Path]]) -> None:
    _convert_each([(task, *pair) for pair in pairs])


def _convert_each(triples: list[tuple[str, Path, Path]]) -> None:
    arguments = [str(one) for triple in triples for one in triple]
    subprocess.run([sys.executable, "-c", _CONVERT_ALL, *arguments], check=True, capture_output=True)


def task_in(folder: Path) -> Task:
    """What a checkpoint does, as a server infers it."""
    return task_of(folder, json.loads((folder / "config.json").read_text()))[0]


Loader = Callable[[Encoders, str, Embedding], OneShotEngine]
_CONTEXT = LoadContext(report=lambda _stage, _ratio: None, max_model_len=200)


def load_echo(_encoders: Encoders, _shape: str, settings: Embedding) -> OneShotEngine:
    """Needs nothing."""
    plan = OneShotLoad(embedding_plan(settings))
    return load_one_shot_adapter("echo").load_one_shot(Path("none"), EchoEngine(), _CONTEXT, plan)


def load_openvino(encoders: Encoders, shape: str, settings: Embedding) -> OneShotEngine:
    """Needs podium[hf] to make its model."""
    _require_hf()
    plan = OneShotLoad(encoders.plan(shape, settings))
    adapter = load_one_shot_adapter("openvino")
    return adapter.load_one_shot(encoders.openvino(shape), OpenVINOEngine(threads=1), _CONTEXT, plan)


def load_transformers(encoders: Encoders, shape: str, settings: Embedding) -> OneShotEngine:
    """Needs podium[hf]."""
    _require_hf()
    plan = OneShotLoad(encoders.plan(shape, settings))
    adapter = load_one_shot_adapter("transformers")
    config = TransformersEngine(device="cpu", precision="f32", threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return adapter.load_one_shot(encoders.torch(shape), config, _CONTEXT, plan)


def load_openvino_classifier(encoders: Encoders, name: str) -> OneShotEngine:
    """Needs podium[hf] to make its model."""
    _require_hf()
    adapter = load_one_shot_adapter("openvino")
    plan = _classification(encoders.torch_classifier(name))
    return adapter.load_one_shot(encoders.openvino_classifier(name), OpenVINOEngine(threads=1), _CONTEXT, plan)


def load_transformers_classifier(encoders: Encoders, name: str) -> OneShotEngine:
    """Needs podium[hf]."""
    _require_hf()
    adapter = load_one_shot_adapter("transformers")
    config = TransformersEngine(device="cpu", precision="f32", threads=1)
    folder = encoders.torch_classifier(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return adapter.load_one_shot(folder, config, _CONTEXT, _classification(folder))


def _classification(folder: Path) -> OneShotLoad:
    """As a server infers it."""
    config = json.loads((folder / "config.json").read_text())
    task, _ = task_of(folder, config)
    assert task in {"classify", "rerank"}
    return OneShotLoad(classification_plan(task, config))


def load_head(encoders: Encoders, engine: str, name: str) -> OneShotEngine:
    """An encoder of ``models_factory.HEADS``, as a server would load it. Needs podium[hf]."""
    _require_hf()
    folder = encoders.torch_head(name)
    settings: Engine = OpenVINOEngine(threads=1)
    if engine == "transformers":
        settings = TransformersEngine(device="cpu", precision="f32", threads=1)
    runnable_plan = plan_of(Model(name=name, source=str(folder)), inspect(folder))
    source = encoders.openvino_head(name) if engine == "openvino" else folder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_one_shot_adapter(engine).load_one_shot(source, settings, _CONTEXT, OneShotLoad(runnable_plan))


CLASSIFIER_LOADERS: dict[str, Callable[[Encoders, str], OneShotEngine]] = {
    "openvino": load_openvino_classifier,
    "transformers": load_transformers_classifier,
}


ONE_SHOT_LOADERS: dict[str, Loader] = {
    "echo": load_echo,
    "openvino": load_openvino,
    "transformers": load_transformers,
}


def _require_hf() -> None:
    for module in ("torch", "transformers", "optimum"):
        require(module)
