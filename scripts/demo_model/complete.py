"""Complete prompts with the exported model, and compare greedy output with torch.

Usage::

    python complete.py parity --hf FOLDER --ir PREFIX-f32
    python complete.py samples --hf FOLDER --ir PREFIX-int8-sym --out samples.json

Both use OpenVINO GenAI's continuous batching pipeline fed with token ids, as a
server does; the OpenVINO tokenizer in the IR folder is not used.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino_genai as genai
from imports import without_torchvision
from tokenizers import Tokenizer

PROMPTS = (
    "The server is",
    "This function returns",
    "When a client connects,",
    "If the file does not exist,",
    "The database stores",
    "To install the package,",
    "A process can send a signal",
    "The default value of this option is",
)
QUESTIONS = (
    "What does the ls command do?",
    "What is a file descriptor?",
    "Explain transactions.",
    "Hello",
    "Who are you?",
)
LENGTH = 60
SEED = 7


def pipeline(folder: Path, precision: str) -> genai.ContinuousBatchingPipeline:
    """Return a pipeline over the IR in ``folder`` that takes token ids."""
    scheduler = genai.SchedulerConfig()
    scheduler.num_kv_blocks = 64
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision}
    if precision == "f32":
        settings["KV_CACHE_PRECISION"] = "f32"
    return genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", settings)


def generate(
    pipe: genai.ContinuousBatchingPipeline, ids: list[int], *, sampled: bool, length: int = LENGTH
) -> list[int]:
    """Return the new token ids for a prompt, greedy or sampled with the fixed seed."""
    config = genai.GenerationConfig()
    config.max_new_tokens = length
    config.eos_token_id = 0
    config.stop_token_ids = {0}
    if sampled:
        config.do_sample, config.temperature, config.top_p = True, 0.7, 0.9
        config.rng_seed = SEED
    prompt = ov.Tensor(np.array([ids], dtype=np.int64))
    return list(pipe.generate([prompt], [config])[0].m_generation_ids[0])


def chat_prompt(question: str) -> str:
    """Return a one-turn chat prompt as the chat template renders it."""
    return f"<|user|>{question}<|assistant|>"


def torch_greedy(folder: Path, ids: list[int], length: int) -> list[int]:
    """Return transformers' greedy continuation in f32."""
    without_torchvision()
    import torch  # noqa: PLC0415
    from transformers import LlamaForCausalLM  # noqa: PLC0415

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    out = model.generate(torch.tensor([ids]), max_new_tokens=length, do_sample=False)
    return out[0, len(ids) :].tolist()


def parity(hf: Path, ir: Path) -> bool:
    """Tell whether IR and torch give the same greedy tokens for every prompt."""
    tokenizer = Tokenizer.from_file(str(hf / "tokenizer.json"))
    pipe = pipeline(ir, "f32")
    same = True
    for text in (*PROMPTS[:5], chat_prompt(QUESTIONS[0])):
        ids = tokenizer.encode(text).ids
        expected = [token for token in torch_greedy(hf, ids, LENGTH) if token != 0]
        found = [token for token in generate(pipe, ids, sampled=False) if token != 0]
        print(f"{text!r}: {'same' if expected == found else 'DIFFERENT'}, {len(found)} tokens")
        same &= expected == found
    return same


def samples(hf: Path, ir: Path) -> list[dict[str, Any]]:
    """Return greedy and sampled completions of every prompt and question."""
    tokenizer = Tokenizer.from_file(str(hf / "tokenizer.json"))
    pipe = pipeline(ir, "bf16")
    rows: list[dict[str, Any]] = []
    for text in (*PROMPTS, *map(chat_prompt, QUESTIONS)):
        ids = tokenizer.encode(text).ids
        for sampled in (False, True):
            new = generate(pipe, ids, sampled=sampled)
            ended = bool(new) and new[-1] == 0
            rows.append(
                {
                    "prompt": text,
                    "sampled": sampled,
                    "seed": SEED if sampled else None,
                    "completion": tokenizer.decode(new),
                    "tokens": len(new),
                    "ended": ended or len(new) < LENGTH,
                }
            )
            print(f"[{'sampled' if sampled else 'greedy'}] {text}|{rows[-1]['completion']}\n")
    return rows


def main() -> int:
    """Run the check named on the command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("step", choices=("parity", "samples"))
    arguments.add_argument("--hf", type=Path, required=True)
    arguments.add_argument("--ir", type=Path, required=True)
    arguments.add_argument("--out", type=Path)
    parsed = arguments.parse_args()
    if parsed.step == "parity":
        return 0 if parity(parsed.hf, parsed.ir) else 1
    rows = samples(parsed.hf, parsed.ir)
    if parsed.out:
        parsed.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
