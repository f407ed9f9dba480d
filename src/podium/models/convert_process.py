"""The converter's own process: ``python -m podium.models.convert_process SOURCE OUTPUT PRECISION [--task embed]``.

Writes lines of JSON (``converter.Line``) to its standard output and a complete IR folder to OUTPUT.
Everything that libraries print goes to standard error. Exit status 0 means done, 1 a told failure.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec

from podium.core.errors import CheckpointInvalid, MissingExtra, ModelLoadError, UnsupportedArchitecture
from podium.core.one_shot import Task
from podium.engine.adapters.silence import hide_torchvision, silence_hub, silence_openvino
from podium.models.converter import Line

_COPIED = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_COPIED_IF_PRESENT = ("special_tokens_map.json", "chat_template.json", "added_tokens.json")

_CLASSES: dict[Task, str] = {
    "generate": "OVModelForCausalLM",
    "embed": "OVModelForFeatureExtraction",
    "classify": "OVModelForSequenceClassification",
    "rerank": "OVModelForSequenceClassification",
    "zero_shot": "OVModelForSequenceClassification",
    "token_classification": "OVModelForTokenClassification",
    "fill_mask": "OVModelForMaskedLM",
    "question_answering": "OVModelForQuestionAnswering",
}

Tell = Callable[[Line], None]


def main() -> int:
    """Convert as the arguments say; failures are told as a line, never as a traceback on standard output."""
    arguments = _arguments()
    tell = _take_standard_output()
    try:
        trust: bool = arguments.trust_remote_code
        convert(arguments.source, arguments.output, arguments.precision, tell, trust=trust, task=arguments.task)
    except ModelLoadError as error:
        tell(Line(code=error.code, message=error.message))
        return 1
    return 0


def convert(source: Path, output: Path, precision: str, tell: Tell, *, trust: bool, task: Task = "generate") -> None:
    """Write IR, tokenizer IR (for generation) and the small files of ``source`` into ``output``."""
    silence_openvino()
    silence_hub()
    hide_torchvision()
    tell(Line(stage="loading"))
    library = _import_optimum()
    tell(Line(stage="exporting", ratio=0.1))
    model = _export(library, getattr(library, _CLASSES[task]), source, precision, trust=trust)
    if precision == "f16":
        tell(Line(stage="compressing", ratio=0.7))
        model.half()
    tell(Line(stage="writing", ratio=0.8))
    model.save_pretrained(output)
    _copy_small_files(source, output)
    if task == "generate":
        tell(Line(stage="tokenizer", ratio=0.9))
        _convert_tokenizer(source, output)
    tell(Line(stage="done", ratio=1.0))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("precision", choices=("f32", "f16", "int8"))
    parser.add_argument("--task", choices=get_args(Task), default="generate")
    parser.add_argument("--trust-remote-code", action="store_true")
    return parser.parse_args()


def _take_standard_output() -> Tell:
    """Keep the pipe for our lines and send everything else that is printed to standard error."""
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def tell(line: Line) -> None:
        channel.write(msgspec.json.encode(line) + b"\n")

    return tell


def _import_optimum() -> Any:
    try:
        import optimum.intel  # noqa: PLC0415  # heavy and optional
        import torch  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingExtra(
            "Converting a checkpoint needs torch and optimum-intel; install them with: pip install 'podium[hf]'"
        ) from error
    _lift_version_bounds()
    return optimum.intel


def _lift_version_bounds() -> None:
    """optimum-intel 2.2 bounds Gemma at transformers 5.0; with 5.5 its export is token-identical (contract suite)."""
    from optimum.exporters.openvino import model_configs  # noqa: PLC0415

    model_configs.GemmaOpenVINOConfig.MAX_TRANSFORMERS_VERSION = "5.5.99"


def _export(library: Any, kind: Any, source: Path, precision: str, *, trust: bool) -> Any:
    quantization = library.OVWeightQuantizationConfig(bits=8) if precision == "int8" else None
    try:
        return kind.from_pretrained(
            source,
            export=True,
            compile=False,
            trust_remote_code=trust,
            local_files_only=True,
            quantization_config=quantization,
            # False keeps big models from being compressed to int8 unasked.
            load_in_8bit=None if quantization else False,
        )
    except (ValueError, KeyError, NotImplementedError) as error:
        raise UnsupportedArchitecture(
            "This architecture cannot be converted to OpenVINO; serve it with engine: transformers."
        ) from error
    except OSError as error:
        raise CheckpointInvalid("The weights cannot be read; fetch the checkpoint again.") from error
    except (MemoryError, RuntimeError) as error:
        raise ModelLoadError(
            "The conversion failed while tracing the model; serve it with engine: transformers, or add memory."
        ) from error


def _copy_small_files(source: Path, output: Path) -> None:
    for name in (*_COPIED, *_COPIED_IF_PRESENT):
        if (source / name).is_file():
            shutil.copyfile(source / name, output / name)


def _convert_tokenizer(source: Path, output: Path) -> None:
    """Tokenizer and detokenizer as IR; openvino-genai needs them for constrained output only."""
    try:
        import openvino  # noqa: PLC0415
        from openvino_tokenizers import convert_tokenizer  # noqa: PLC0415
        from transformers import AutoTokenizer  # noqa: PLC0415

        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
        pair = convert_tokenizer(tokenizer, with_detokenizer=True)
        for name, graph in zip(("openvino_tokenizer.xml", "openvino_detokenizer.xml"), pair, strict=True):
            openvino.save_model(graph, output / name)
    except (ImportError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, OSError) as error:
        sys.stderr.write(f"tokenizer not converted ({type(error).__name__}): no constrained output for this model\n")
        for leftover in output.glob("openvino_*tokenizer.*"):
            with contextlib.suppress(OSError):
                leftover.unlink()


if __name__ == "__main__":
    sys.exit(main())
