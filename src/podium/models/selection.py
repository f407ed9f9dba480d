"""``engine: auto``: which engine runs a checkpoint on this machine, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from podium.config.engine import AutoEngine, Engine, OpenVINOEngine, TransformersEngine, VLLMEngine
from podium.core.errors import MissingExtra
from podium.core.one_shot import Task
from podium.engine.adapters.table import ADAPTERS

GPU_CONTROL_FILE = Path("/dev/nvidiactl")
CONVERSION_DISTRIBUTION = "transformers"


@dataclass(frozen=True)
class Machine:
    """What decides between engines: a GPU, and which libraries are installed."""

    has_gpu: bool
    installed: frozenset[str]

    @classmethod
    def here(cls) -> Machine:
        """This machine, now."""
        installed = frozenset(kind for kind, entry in ADAPTERS.items() if entry.version() is not None)
        return cls(has_gpu=GPU_CONTROL_FILE.exists(), installed=installed)


@dataclass(frozen=True)
class Choice:
    """An engine with its settings, and the reason in one sentence."""

    engine: Engine
    reason: str


_ON_GPU = {
    True: "a GPU is present and vLLM is not installed: transformers runs on it",
    False: "a GPU is present, and transformers runs one-shot models on it",
}


def choose(wanted: Engine, *, is_openvino_ir: bool, machine: Machine, task: Task = "generate") -> Choice:
    """The engine for a checkpoint. Raises ``MissingExtra`` when nothing installed can run it.

    vLLM is used for models that generate only, and encoder-decoders run on transformers (decision 66).
    """
    if not isinstance(wanted, AutoEngine):
        return Choice(wanted, f"{wanted.kind} is set in the configuration")
    if is_openvino_ir:
        return Choice(OpenVINOEngine(), "the folder holds OpenVINO IR, which runs on openvino")
    if task == "text2text_generation":
        return _for_encoder_decoder(machine)
    if machine.has_gpu and "vllm" in machine.installed and task == "generate":
        return Choice(VLLMEngine(), "a GPU is present and vLLM is installed")
    if machine.has_gpu and "transformers" in machine.installed:
        return Choice(TransformersEngine(), _ON_GPU[task == "generate"])
    if "transformers" in machine.installed:
        return Choice(
            OpenVINOEngine(), "no GPU: openvino is fastest on a CPU, and podium[hf] can convert the checkpoint"
        )
    raise MissingExtra(
        "Safetensors checkpoints need torch and transformers once, to be converted: pip install 'podium[hf]'. "
        "OpenVINO IR folders run without."
    )


def _for_encoder_decoder(machine: Machine) -> Choice:
    if "transformers" in machine.installed:
        return Choice(TransformersEngine(), "encoder-decoders run on transformers, on a CPU as on a GPU")
    raise MissingExtra("Encoder-decoders run on transformers: pip install 'podium[hf]'.")
