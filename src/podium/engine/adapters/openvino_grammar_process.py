"""A disposable process that compiles grammars the way openvino-genai will: ``FOLDER`` as its argument.

One JSON line ``{"kind", "source"}`` in, one line ``ok`` or ``bad`` out. A grammar that cannot be
compiled leaves the pipeline unusable, so the process ends after ``bad``; one that takes too long is
ended by whoever asked. The pipeline is the built-in demo model with its logits padded (or cut) to the
vocabulary of the model in ``FOLDER``, because the compiler wants a pipeline and its cost depends on the
vocabulary.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from podium.engine.adapters.silence import silence_openvino

silence_openvino()

import openvino as ov  # noqa: E402 - after silencing it
import openvino_genai as genai  # noqa: E402 - same
from openvino import opset13 as ops  # noqa: E402 - same

DEMO = Path(__file__).parents[2] / "models" / "demo"
VOCABULARY_AXIS = 2


def probe_folder(vocab_size: int, folder: Path) -> None:
    """Write the demo model into ``folder`` with ``vocab_size`` logits."""
    model = ov.Core().read_model(DEMO / "openvino_model.xml")
    result = model.output("logits").get_node()
    logits = result.input(0).get_source_output()
    missing = vocab_size - logits.get_partial_shape()[VOCABULARY_AXIS].get_length()
    if missing > 0:
        resized = ops.pad(logits, np.array([0, 0, 0]), np.array([0, 0, missing]), "constant", np.float32(0))
    else:
        axis = np.array([VOCABULARY_AXIS])
        resized = ops.slice(logits, np.array([0]), np.array([vocab_size]), np.array([1]), axis)
    result.input(0).replace_source_output(resized.output(0))
    model.validate_nodes_and_infer_types()
    ov.save_model(model, folder / "openvino_model.xml", compress_to_fp16=False)
    for name in ("config.json", "generation_config.json"):
        (folder / name).write_bytes((DEMO / name).read_bytes())


def open_pipeline(model_dir: Path) -> Any:
    """A pipeline with the tokenizer of ``model_dir`` that can do one step."""
    vocab_size = json.loads((model_dir / "config.json").read_text("utf-8"))["vocab_size"]
    scheduler = genai.SchedulerConfig()
    scheduler.num_kv_blocks = 8
    scheduler.max_num_batched_tokens = 16
    with tempfile.TemporaryDirectory() as folder:
        probe_folder(vocab_size, Path(folder))
        return genai.ContinuousBatchingPipeline(folder, genai.Tokenizer(model_dir), scheduler, "CPU")


def compiles(pipeline: Any, number: int, kind: str, source: str) -> bool:
    """Whether a first token can be sampled under the grammar."""
    config = genai.GenerationConfig()
    config.max_new_tokens = 1
    config.do_sample = False
    structured = genai.StructuredOutputConfig()
    setattr(structured, kind, source)
    config.structured_output_config = structured
    try:
        # Without its handle a request counts as dropped, and nothing would be compiled.
        handle = pipeline.add_request(number, ov.Tensor(np.array([[1]], dtype=np.int64)), config)
        while pipeline.has_non_finished_requests():
            pipeline.step()
        return bool(handle.can_read())
    except RuntimeError:
        return False


def _lines() -> Iterator[dict[str, str]]:
    for line in sys.stdin:
        yield json.loads(line)


def main() -> int:
    """Answer until the input ends or a grammar is bad."""
    pipeline = open_pipeline(Path(sys.argv[1]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for number, question in enumerate(_lines()):
        good = compiles(pipeline, number, question["kind"], question["source"])
        sys.stdout.write("ok\n" if good else "bad\n")
        sys.stdout.flush()
        if not good:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
