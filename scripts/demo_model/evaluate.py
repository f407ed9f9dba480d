"""Measure held-out perplexity of the demo model in torch and as OpenVINO IR.

Usage: ``python evaluate.py --build BUILD --hf FOLDER --ir PREFIX --out RESULT.json``.
Every variant scores the same windows of held-out tokens: consecutive, not
overlapping, 512 tokens each, every window from an empty context.  The mean
negative log-likelihood is summed in f64 from the logits the variant returned.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from imports import without_torchvision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Logits = Callable[[np.ndarray], np.ndarray]

WINDOW = 512
ROWS = 8
PACKAGES = ("torch", "transformers", "openvino", "openvino-genai", "optimum-intel", "nncf", "numpy")
# Weight format and the precision that inference and the KV cache run in. `served`: as the openvino engine runs
# int8 weights by default, with activations rounded to 8 bits in groups and a u8 KV cache.
SERVED = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "128", "KV_CACHE_PRECISION": "u8"}
IR_VARIANTS: tuple[tuple[str, str], ...] = (
    ("f32", "f32"),
    ("f16", "f32"),
    ("f16", "bf16"),
    ("int8-sym", "f32"),
    ("int8-sym", "bf16"),
    ("int8-asym", "f32"),
    ("int8-asym", "bf16"),
    ("int8-sym", "served"),
)


@dataclass(frozen=True)
class Score:
    """The held-out result of one variant of the model."""

    variant: str
    weights: str
    inference_precision: str
    tokens: int
    negative_log_likelihood: float
    perplexity: float
    seconds: float
    relative_to_torch_percent: float = 0.0


def windows(tokens: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yield ``(rows, WINDOW + 1)`` blocks that cover the first ``count`` targets."""
    total = min(count, len(tokens) - 1) // WINDOW
    cut = [tokens[at * WINDOW : (at + 1) * WINDOW + 1] for at in range(total)]
    for at in range(0, total - ROWS + 1, ROWS):
        yield np.stack(cut[at : at + ROWS]).astype(np.int64)


def target_losses(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the negative log-likelihood of every target token, in f64."""
    wide = logits.astype(np.float64)
    top = wide.max(axis=-1, keepdims=True)
    norm = np.log(np.exp(wide - top).sum(axis=-1)) + top[..., 0]
    return norm - np.take_along_axis(wide, targets[..., None], axis=-1)[..., 0]


def score(name: tuple[str, str, str], logits: Logits, tokens: np.ndarray, count: int) -> Score:
    """Score one variant, given as the function from token ids to logits."""
    began, total, seen = time.monotonic(), 0.0, 0
    for block in windows(tokens, count):
        losses = target_losses(logits(block[:, :-1]), block[:, 1:])
        total += float(losses.sum())
        seen += losses.size
    mean = total / seen
    result = Score(*name, seen, mean, math.exp(mean), round(time.monotonic() - began, 1))
    print(f"{result.variant}: {result.perplexity:.5f} over {seen} tokens", flush=True)
    return result


def torch_logits(folder: Path) -> Logits:
    """Return the f32 torch model's logits function."""
    without_torchvision()
    import torch  # noqa: PLC0415
    from transformers import LlamaForCausalLM  # noqa: PLC0415

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def logits(ids: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(input_ids=torch.from_numpy(ids), use_cache=False).logits.numpy()

    return logits


def ir_logits(folder: Path, precision: str) -> Logits:
    """Return a stateful IR's logits function at an inference precision."""
    import openvino as ov  # noqa: PLC0415

    settings = {"INFERENCE_PRECISION_HINT": precision, "KV_CACHE_PRECISION": precision}
    if precision == "served":
        settings = SERVED
    else:
        settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "0"
    request = ov.Core().compile_model(folder / "openvino_model.xml", "CPU", settings).create_infer_request()

    def logits(ids: np.ndarray) -> np.ndarray:
        rows, length = ids.shape
        request.reset_state()
        outputs = request.infer(
            {
                "input_ids": ids,
                "attention_mask": np.ones((rows, length), dtype=np.int64),
                "position_ids": np.tile(np.arange(length, dtype=np.int64), (rows, 1)),
                "beam_idx": np.arange(rows, dtype=np.int32),
            }
        )
        return outputs["logits"]

    return logits


def cpu_model() -> str:
    """Return the processor's name as the system states it, with its model number."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set(fields.get("flags", "").split()) & {"amx_bf16", "amx_int8", "avx512_bf16"}
    return f"{fields.get('model name', '?')}, model {fields.get('model', '?')}, {sorted(flags)}"


def versions() -> dict[str, str]:
    """Return the versions of the installed packages that matter here."""
    out = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            out[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return out


def all_scores(hf: Path, prefix: str, tokens: np.ndarray, count: int) -> list[dict[str, Any]]:
    """Score torch and every IR variant, each compared with torch."""
    scores = [score(("torch f32", "f32", "f32"), torch_logits(hf), tokens, count)]
    for weights, precision in IR_VARIANTS:
        logits = ir_logits(Path(f"{prefix}-{weights}"), precision)
        scores.append(score((f"IR {weights}, inference {precision}", weights, precision), logits, tokens, count))
    base = scores[0].perplexity
    return [asdict(s) | {"relative_to_torch_percent": round(100 * (s.perplexity / base - 1), 4)} for s in scores]


def main() -> None:
    """Score every variant and write the result with the machine's description."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", type=Path, required=True)
    arguments.add_argument("--hf", type=Path, required=True)
    arguments.add_argument("--ir", required=True)
    arguments.add_argument("--tokens", type=int, default=1 << 20)
    arguments.add_argument("--out", type=Path, required=True)
    parsed = arguments.parse_args()
    tokens = np.load(parsed.build / "heldout.npy")
    command = "evaluate.py --build BUILD --hf HF --ir IR --out RESULT"
    result = {
        "what": "held-out perplexity of the demo model",
        "command": f"python {command} --tokens {parsed.tokens}",
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "versions": versions(),
        "window": WINDOW,
        "scores": all_scores(parsed.hf, parsed.ir, tokens, parsed.tokens),
    }
    parsed.out.parent.mkdir(parents=True, exist_ok=True)
    parsed.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
