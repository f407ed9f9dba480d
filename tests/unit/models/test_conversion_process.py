"""The real converter, in its real process, on a tiny checkpoint."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from podium.core.errors import CheckpointInvalid, MissingExtra, UnsupportedArchitecture
from podium.models.checkpoint import inspect
from podium.models.conversion import convert
from podium.models.converter import OPTIMUM, Converter
from support.checkpoint_folders import CONFIG, write_checkpoint
from support.require import require

_WITHOUT_OPTIMUM = (
    "import sys; sys.modules['optimum'] = None\nimport podium.models.convert_process as c; sys.exit(c.main())"
)
_WATCHING_CONNECTIONS = """
import os, socket, sys
def watch(name):
    real = getattr(socket.socket, name)
    def watched(self, address):
        with open(os.environ["WATCH"], "a") as log: log.write(f"{address}\\n")
        return real(self, address)
    setattr(socket.socket, name, watched)
watch("connect"); watch("connect_ex")
import podium.models.convert_process as c
sys.exit(c.main())
"""


def _ignore(_stage: str, _ratio: float) -> None:
    return


def _checkpoint(folder: Path, shape: str = "llama") -> Path:
    for module in ("torch", "transformers", "optimum"):
        require(module)
    import models_factory  # noqa: PLC0415  # needs torch

    return models_factory.make_checkpoint(folder / shape, shape, with_chat_template=True)


def test_without_optimum_the_extra_is_named(tmp_path: Path) -> None:
    converter = Converter((sys.executable, "-c", _WITHOUT_OPTIMUM))
    checkpoint = inspect(write_checkpoint(tmp_path / "model"))
    with pytest.raises(MissingExtra, match=r"pip install 'podium\[hf\]'"):
        asyncio.run(convert(checkpoint, "f32", tmp_path / "cache", _ignore, converter=converter))


@pytest.mark.hf
def test_a_checkpoint_becomes_an_ir_folder_and_nobody_is_told(tmp_path: Path) -> None:
    """No connection is opened, and openvino's telemetry leaves no trace in the home folder."""
    source = _checkpoint(tmp_path)
    (tmp_path / "home").mkdir()
    environment = {"HOME": str(tmp_path / "home"), "WATCH": str(tmp_path / "connections"), "PYTHONPATH": _python_path()}
    converter = Converter((sys.executable, "-c", _WATCHING_CONNECTIONS), environment)
    stages: list[str] = []

    def report(stage: str, _ratio: float) -> None:
        stages.append(stage)

    folder = asyncio.run(convert(inspect(source), "f16", tmp_path / "cache", report, converter=converter))
    assert stages == ["hashing", "loading", "exporting", "compressing", "writing", "tokenizer", "done"]
    found = inspect(folder)
    assert (found.format, found.max_model_len, found.eos_token_ids) == ("openvino", 256, frozenset({0}))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert (folder / name).read_bytes() == (source / name).read_bytes()
    assert (folder / "openvino_tokenizer.xml").is_file()
    assert (folder / "openvino_detokenizer.bin").is_file()
    assert not (tmp_path / "connections").exists()
    assert not (tmp_path / "home" / "intel").exists()


@pytest.mark.hf
def test_int8_weights_take_about_a_quarter_of_f32(tmp_path: Path) -> None:
    source = inspect(_checkpoint(tmp_path))
    sizes = [
        inspect(asyncio.run(convert(source, precision, tmp_path / "cache", _ignore))).weight_bytes
        for precision in ("f32", "int8")
    ]
    assert 0.2 < sizes[1] / sizes[0] < 0.35


@pytest.mark.hf
def test_an_architecture_that_cannot_be_exported_names_the_way_out(tmp_path: Path) -> None:
    source = _checkpoint(tmp_path)
    (source / "config.json").write_text(json.dumps({**CONFIG, "model_type": "nobody-knows-this"}))
    with pytest.raises(UnsupportedArchitecture, match="engine: transformers"):
        asyncio.run(convert(inspect(source), "f32", tmp_path / "cache", _ignore, converter=OPTIMUM))


@pytest.mark.hf
def test_weights_that_vanish_meanwhile_are_a_damaged_checkpoint(tmp_path: Path) -> None:
    source = _checkpoint(tmp_path)
    checkpoint = inspect(source)
    (source / "model.safetensors").unlink()
    with pytest.raises(CheckpointInvalid):
        asyncio.run(convert(checkpoint, "f32", tmp_path / "cache", _ignore))


def _python_path() -> str:
    return str(Path(sys.modules["podium"].__path__[0]).parent)
