"""Train the byte-level BPE tokenizer and save it with its chat template.

Usage: ``python tokenizer.py --build BUILD``.  Reads ``train.jsonl`` and writes the
Hugging Face tokenizer files to ``BUILD/tokenizer``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from chat import ASSISTANT, END, SPECIAL_TOKENS, SYSTEM, USER
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

if TYPE_CHECKING:
    from collections.abc import Iterator

VOCABULARY = 4096
CONTEXT = 512

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'system' -%}{{ '" + SYSTEM + "' + message['content'] }}"
    "{%- elif message['role'] == 'user' -%}{{ '" + USER + "' + message['content'] }}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{ '" + ASSISTANT + "' + message['content'] + '" + END + "' }}"
    "{%- else -%}{{ raise_exception('unknown role: ' + message['role']) }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '" + ASSISTANT + "' }}{%- endif -%}"
)


def _texts(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            for token in SPECIAL_TOKENS:
                text = text.replace(token, "\n")
            yield text


def train_tokenizer(corpus: Path) -> Tokenizer:
    """Return a byte-level BPE tokenizer trained on one side of the corpus."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(corpus), trainer)
    return tokenizer


def make_portable(config_file: Path) -> None:
    """Rewrite a tokenizer configuration so that older transformers can load it too."""
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config.pop("backend", None)
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config["additional_special_tokens"] = config.pop("extra_special_tokens")
    config_file.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Train on the build folder's corpus and save the result there."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", type=Path, required=True)
    build: Path = arguments.parse_args().build
    fast = PreTrainedTokenizerFast(
        tokenizer_object=train_tokenizer(build / "train.jsonl"),
        bos_token=END,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(build / "tokenizer", save_jinja_files=False)
    make_portable(build / "tokenizer/tokenizer_config.json")
    print(f"{len(fast)} tokens")


if __name__ == "__main__":
    main()
