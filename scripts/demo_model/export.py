"""Write a checkpoint as a Hugging Face folder and as OpenVINO IR.

Usage::

    python export.py hf --build BUILD --checkpoint best.pt --out FOLDER
    python export.py ir --hf FOLDER --out PREFIX      # PREFIX-f32, -f16, -int8-sym, -int8-asym
    python export.py package --ir PREFIX-int8-sym --build BUILD --out PACKAGE_FOLDER

``hf`` needs torch and transformers; ``ir`` needs optimum-intel and nncf as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

from imports import without_torchvision

FLOAT_FORMATS = {"f32": "fp32", "f16": "fp16"}
INT8_FORMATS = {"int8-sym": "INT8_SYM", "int8-asym": "INT8_ASYM"}
PACKAGED = (
    "openvino_model.xml",
    "openvino_model.bin",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "openvino_tokenizer.xml",
    "openvino_tokenizer.bin",
    "openvino_detokenizer.xml",
    "openvino_detokenizer.bin",
)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def export_hf(build: Path, checkpoint: str, out: Path) -> None:
    """Write a checkpoint's weights (f32), configuration and tokenizer to ``out``."""
    import torch  # noqa: PLC0415
    from train import model_config  # noqa: PLC0415
    from transformers import GenerationConfig, LlamaForCausalLM  # noqa: PLC0415

    model = LlamaForCausalLM(model_config())
    state = torch.load(build / checkpoint, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    # A small model sometimes starts the next turn by itself: the user marker (id 2) ends its answer too.
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=[0, 2], pad_token_id=0)
    model.save_pretrained(out)
    for name in TOKENIZER_FILES:
        shutil.copyfile(build / "tokenizer" / name, out / name)


def export_float_ir(hf: Path, out: Path, dtype: str) -> None:
    """Convert a Hugging Face folder to stateful text-generation IR in a float type."""
    from optimum.exporters.openvino import main_export  # noqa: PLC0415
    from optimum.intel import OVConfig  # noqa: PLC0415

    main_export(
        str(hf),
        out,
        task="text-generation-with-past",
        ov_config=OVConfig(dtype=dtype),
        stateful=True,
        convert_tokenizer=False,
        library_name="transformers",
    )


def compress_ir(source: Path, out: Path, mode: str) -> None:
    """Compress an f32 IR's weights, embedding included, to int8 with a scale per channel."""
    import nncf  # noqa: PLC0415
    import openvino as ov  # noqa: PLC0415

    model = ov.Core().read_model(source / "openvino_model.xml")
    compressed = nncf.compress_weights(model, mode=nncf.CompressWeightsMode[mode])
    out.mkdir(parents=True)
    ov.save_model(compressed, out / "openvino_model.xml", compress_to_fp16=False)
    for name in ("config.json", "generation_config.json"):
        shutil.copyfile(source / name, out / name)


def add_tokenizer(hf: Path, out: Path) -> None:
    """Add the tokenizer files, and the tokenizer as IR, which only constrained output needs."""
    import openvino as ov  # noqa: PLC0415
    from openvino_tokenizers import convert_tokenizer  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    for name in TOKENIZER_FILES:
        shutil.copyfile(hf / name, out / name)
    pair = convert_tokenizer(AutoTokenizer.from_pretrained(hf), with_detokenizer=True)
    for name, graph in zip(("tokenizer", "detokenizer"), pair, strict=True):
        ov.save_model(graph, out / f"openvino_{name}.xml")


def export_ir(hf: Path, prefix: str) -> None:
    """Write the IR in every float and int8 format."""
    for name in (*FLOAT_FORMATS, *INT8_FORMATS):
        out = Path(f"{prefix}-{name}")
        shutil.rmtree(out, ignore_errors=True)
        if name in FLOAT_FORMATS:
            export_float_ir(hf, out, FLOAT_FORMATS[name])
        else:
            compress_ir(Path(f"{prefix}-f32"), out, INT8_FORMATS[name])
        add_tokenizer(hf, out)


def package(ir: Path, build: Path, out: Path) -> None:
    """Copy the IR that ships with the package and write its manifest."""
    out.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, str | int]] = {}
    for name in PACKAGED:
        raw = (ir / name).read_bytes()
        (out / name).write_bytes(raw)
        files[name] = {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
    training = json.loads((build / "training.json").read_text(encoding="utf-8"))
    training["corpus"] = json.loads((build / "sources.json").read_text(encoding="utf-8"))
    manifest = {"files": files, "training": training}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Run the export step named on the command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    steps = arguments.add_subparsers(dest="step", required=True)
    hf = steps.add_parser("hf")
    hf.add_argument("--build", type=Path, required=True)
    hf.add_argument("--checkpoint", default="best.pt")
    hf.add_argument("--out", type=Path, required=True)
    ir = steps.add_parser("ir")
    ir.add_argument("--hf", type=Path, required=True)
    ir.add_argument("--out", required=True)
    packaging = steps.add_parser("package")
    packaging.add_argument("--ir", type=Path, required=True)
    packaging.add_argument("--build", type=Path, required=True)
    packaging.add_argument("--out", type=Path, required=True)
    parsed = arguments.parse_args()
    without_torchvision()
    if parsed.step == "hf":
        export_hf(parsed.build, parsed.checkpoint, parsed.out)
    elif parsed.step == "ir":
        export_ir(parsed.hf, parsed.out)
    else:
        package(parsed.ir, parsed.build, parsed.out)


if __name__ == "__main__":
    main()
