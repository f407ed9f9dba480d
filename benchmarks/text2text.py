"""How fast an encoder-decoder writes: transformers' batch here against OpenVINO's export, one text and sixteen.

``python -m benchmarks.text2text`` in an environment with podium[hf]; prints one line of JSON on standard output. The
model has T5-small's shape and random weights. OpenVINO gets what favours it: sixteen texts that begin together and
never end.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOKENS = 64
READ = 64
TEXTS = 16


def main() -> None:
    """Measure and print."""
    from podium.bench.provenance import checkout_commit, machine  # noqa: PLC0415
    from podium.engine.adapters.silence import hide_torchvision, silence_hub, silence_openvino  # noqa: PLC0415

    silence_openvino()
    silence_hub()
    hide_torchvision()
    header = {"at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "commit": checkout_commit(), **machine()}
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(sys.stderr):  # converters print there
        folder = _checkpoint(Path(name) / "t5")
        found = {**_podium(folder), **_openvino(folder)}
    print(json.dumps({**header, "tokens": TOKENS, "read": READ, **found}))


def _checkpoint(folder: Path) -> Path:
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    torch.manual_seed(1)
    config = transformers.T5Config(decoder_start_token_id=0, eos_token_id=1, pad_token_id=0)
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def _podium(folder: Path) -> dict[str, float]:
    from podium.config.engine import TransformersEngine  # noqa: PLC0415
    from podium.config.models import Model  # noqa: PLC0415
    from podium.core.generation import SamplingParams  # noqa: PLC0415
    from podium.engine.adapters.table import load_text2text_adapter  # noqa: PLC0415
    from podium.engine.interface import EngineSequence, LoadContext  # noqa: PLC0415
    from podium.models.text2text_plan import text2text_plan  # noqa: PLC0415

    plan = text2text_plan(Model(name="m", source=str(folder)), folder)
    context = LoadContext(report=lambda _stage, _ratio: None)
    engine = load_text2text_adapter("transformers").load_text2text(folder, TransformersEngine(), context, plan)

    def write(texts: int) -> None:
        for number in range(texts):
            greedy = SamplingParams(temperature=0.0, max_tokens=TOKENS)
            engine.submit(EngineSequence(number, tuple(range(5, 5 + READ)), greedy, frozenset(), TOKENS))
        while engine.has_unfinished():
            engine.step()

    return {f"podium_{texts}": _rate(write, texts) for texts in (1, TEXTS)}


def _openvino(folder: Path) -> dict[str, Any]:
    import optimum.intel  # noqa: PLC0415
    import torch  # noqa: PLC0415

    found: dict[str, Any] = {}
    for bits in ("f32", "int8"):
        quantization = optimum.intel.OVWeightQuantizationConfig(bits=8) if bits == "int8" else None
        model: Any = optimum.intel.OVModelForSeq2SeqLM.from_pretrained(
            folder,
            export=True,
            local_files_only=True,
            quantization_config=quantization,
            load_in_8bit=None if quantization else False,
            ov_config={"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"},
        )
        if bits == "f32":
            found["decoder_inputs"] = sorted(port.any_name for port in model.decoder.model.inputs)

        def write(texts: int, model: Any = model) -> None:
            ids = torch.arange(5, 5 + READ).repeat(texts, 1)
            model.generate(ids, do_sample=False, num_beams=1, max_new_tokens=TOKENS, min_new_tokens=TOKENS)

        for texts in (1, TEXTS):
            try:
                found[f"openvino_{bits}_{texts}"] = _rate(write, texts)
            except RuntimeError as error:  # what its runtime raises; the reason is a result
                found[f"openvino_{bits}_{texts}"] = str(error).strip()
    return found


def _rate(write: Callable[[int], None], texts: int) -> float:
    """Tokens a second, the best of three."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        write(texts)
        seconds.append(time.perf_counter() - started)
    return round(texts * TOKENS / min(seconds), 1)


if __name__ == "__main__":
    main()
