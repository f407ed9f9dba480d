"""Writes a checkpoint with random weights and a tokenizer trained on the spot: ``make_checkpoint.py SHAPE FOLDER``.

Runs in the environment that has torch and transformers. Nothing is fetched: the tokenizer's text is
the standard library of the Python that runs this. Every id of the vocabulary has a text of its own,
so that each token that a model with random weights produces is a visible one.
"""

from __future__ import annotations

import json
import re
import sys
import sysconfig
from pathlib import Path
from typing import Any

SEED = 20_240
LEARNED_TOKENS = 12_000
SAMPLE_FILES = 400
END_OF_TEXT = "<|endoftext|>"
# What a chat server gets is then the bare text, so that one prompt has the same ids everywhere.
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def configuration(shape: str) -> Any:
    """The published shape of GPT-2 (124M) or of Qwen2-0.5B."""
    import transformers  # noqa: PLC0415

    shared = {"bos_token_id": 0, "eos_token_id": 0}
    if shape == "gpt2":
        return transformers.GPT2Config(**shared)
    if shape == "qwen2":
        return transformers.Qwen2Config(
            vocab_size=151_936,
            hidden_size=896,
            intermediate_size=4864,
            num_hidden_layers=24,
            num_attention_heads=14,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            **shared,
        )
    raise SystemExit(f"unknown shape {shape}: gpt2 or qwen2")


def make_tokenizer(vocabulary_size: int) -> Any:
    """A byte-level BPE tokenizer; ids beyond the learned ones are words of a counter."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=LEARNED_TOKENS,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:SAMPLE_FILES]
    learner.train([str(path) for path in files], trainer)
    state = json.loads(learner.to_str())["model"]
    vocabulary: dict[str, int] = state["vocab"]
    for number in range(len(vocabulary), vocabulary_size):
        vocabulary[f"Ġword{number}"] = number
    merges = [tuple(merge) for merge in state["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.add_special_tokens([END_OF_TEXT])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def words(tokenizer: Any) -> list[int]:
    """Ids of words that stay one token each when their text is tokenized again, whatever stands before them."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    plain = (token_id for token, token_id in vocabulary.items() if re.fullmatch(r"Ġ[a-z]{3,}", token))
    return sorted(token_id for token_id in plain if tokenizer.encode(tokenizer.decode([token_id])).ids == [token_id])


def main() -> None:
    """Write the folder that the arguments name."""
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]  # a CUDA build beside CPU torch breaks imports
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    shape, folder = sys.argv[1], Path(sys.argv[2])
    torch.manual_seed(SEED)
    config = configuration(shape)
    transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval().save_pretrained(folder)
    tokenizer = make_tokenizer(config.vocab_size)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT, model_max_length=1024
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    (folder / "words.json").write_text(json.dumps(words(tokenizer)))


if __name__ == "__main__":
    main()
