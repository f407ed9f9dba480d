"""Program for the interpreter that has vLLM: make tiny random checkpoints and what transformers says about them.

``python vllm_reference.py FOLDER`` writes FOLDER/gpt2 and FOLDER/llama and prints, as JSON for each:
``prompts``, and for each prompt the greedy ``tokens`` of a float32 forward pass with the log
probabilities of every token after the first (``logprobs``: prompt and answer).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

ANSWER_TOKENS = 24
EOS_ID = 256
SIZES = {"vocab_size": 257, "bos_token_id": EOS_ID, "eos_token_id": EOS_ID, "initializer_range": 0.3}


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each byte, and an end-of-sequence token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<|end|>", eos_token="<|end|>")


def checkpoints() -> dict[str, torch.nn.Module]:
    """Random weights, large enough that the answers vary."""
    torch.manual_seed(0)
    return {
        "gpt2": GPT2LMHeadModel(GPT2Config(**SIZES, n_positions=512, n_embd=64, n_layer=2, n_head=2)),
        "llama": LlamaForCausalLM(
            LlamaConfig(
                **SIZES,
                hidden_size=64,
                intermediate_size=128,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
                max_position_embeddings=512,
            )
        ),
    }


def answer(model: torch.nn.Module, prompt: list[int]) -> dict[str, list[float]]:
    """Greedy continuation of ``prompt`` and the log probabilities along the way."""
    with torch.no_grad():
        whole = model.generate(
            torch.tensor([prompt]), max_new_tokens=ANSWER_TOKENS, do_sample=False, eos_token_id=None, pad_token_id=0
        )
        logprobs = torch.log_softmax(model(whole).logits[0, :-1].float(), -1)
    chosen = logprobs.gather(1, whole[0, 1:, None])[:, 0]
    return {"tokens": whole[0, len(prompt) :].tolist(), "logprobs": chosen.tolist()}


def main(folder: Path) -> None:
    """Write the checkpoints, print the expectations."""
    generator = torch.Generator().manual_seed(1)
    prompts = [torch.randint(0, 256, (length,), generator=generator).tolist() for length in (5, 20, 1, 200)]
    expected = {}
    for name, model in checkpoints().items():
        model.save_pretrained(folder / name)
        tokenizer().save_pretrained(folder / name)
        loaded = AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float32).eval()
        expected[name] = {"prompts": prompts, "answers": [answer(loaded, prompt) for prompt in prompts]}
    print(json.dumps(expected))  # noqa: T201 - the answer of this program


if __name__ == "__main__":
    main(Path(sys.argv[1]))
