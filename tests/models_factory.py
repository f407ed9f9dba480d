"""Tiny checkpoints with random weights, one for each architecture that the engines promise to serve.

Everything is made on the spot from fixed seeds: no file is fetched, and two runs give equal bytes.
Needs torch and transformers, so tests that use it carry ``@pytest.mark.hf``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

VOCABULARY = 512
CONTEXT = 256
EOS = "<|end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message.role }}: {{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant: {% endif %}"
)

_CORPUS = [
    "the model answers the request and the server sends the tokens one after the other",
    "a canary takes five percent of the traffic until the judgement is clear",
    '{"name": "podium", "replicas": 3, "ready": true, "ratio": 0.25}',
    "def step(self) -> list[SequenceOutput]: return [output for output in self.batch]",
    "Grüße aus Köln: 東京 は 晴れ です, naïve café, ½ + ¼",
]


def _gpt2(transformers: Any) -> Any:
    return transformers.GPT2Config(
        n_embd=48, n_layer=2, n_head=4, n_positions=CONTEXT, tie_word_embeddings=False, **_SHARED
    )


def _llama(transformers: Any) -> Any:
    return transformers.LlamaConfig(**_DECODER, **_SHARED)


def _qwen2(transformers: Any) -> Any:
    return transformers.Qwen2Config(**_DECODER, **_SHARED)


def _mistral(transformers: Any) -> Any:
    """With a sliding window shorter than the tests' outputs."""
    return transformers.MistralConfig(sliding_window=12, **_DECODER, **_SHARED)


def _gemma(transformers: Any) -> Any:
    return transformers.GemmaConfig(head_dim=16, tie_word_embeddings=False, **_DECODER, **_SHARED)


def _phi(transformers: Any) -> Any:
    return transformers.PhiConfig(**(_DECODER | {"num_key_value_heads": 4}), **_SHARED)


def _opt(transformers: Any) -> Any:
    return transformers.OPTConfig(
        hidden_size=48,
        word_embed_proj_dim=48,
        ffn_dim=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        **_SHARED,
    )


_SHARED = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
_ENCODER = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
}
_DECODER = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}


def _bert(transformers: Any) -> Any:
    return transformers.BertConfig(**_ENCODER, **_SHARED)


def _xlm_roberta(transformers: Any) -> Any:
    """Counts positions from the padding token's id on."""
    return transformers.XLMRobertaConfig(**_ENCODER, **_SHARED)


def _mpnet(transformers: Any) -> Any:
    """Has no token types."""
    return transformers.MPNetConfig(**_ENCODER, **_SHARED)


def _distilbert(transformers: Any) -> Any:
    return transformers.DistilBertConfig(
        dim=48, hidden_dim=96, n_layers=2, n_heads=4, max_position_embeddings=CONTEXT, **_SHARED
    )


SHAPES: dict[str, Callable[[Any], Any]] = {
    "gpt2": _gpt2,
    "llama": _llama,
    "qwen2": _qwen2,
    "mistral": _mistral,
    "gemma": _gemma,
    "phi": _phi,
    "opt": _opt,
}


ENCODERS: dict[str, Callable[[Any], Any]] = {
    "bert": _bert,
    "xlm-roberta": _xlm_roberta,
    "mpnet": _mpnet,
    "distilbert": _distilbert,
}


def make_encoder(folder: Path, shape: str, *, seed: int = 7) -> Path:
    """Write a text encoder of ``shape`` (a key of ``ENCODERS``) with its tokenizer into ``folder``."""
    torch, transformers = _libraries()
    torch.manual_seed(seed)
    model = transformers.AutoModel.from_config(ENCODERS[shape](transformers))
    _spread(torch, model)
    model.eval().save_pretrained(folder)
    make_tokenizer(folder)
    return folder


CLASSIFIERS: dict[str, tuple[str, dict[str, Any]]] = {
    "moods": ("bert", {"id2label": {0: "sad", 1: "calm", 2: "glad"}}),
    "topics": (
        "distilbert",
        {"id2label": {0: "sea", 1: "land", 2: "sky", 3: "money"}, "problem_type": "multi_label_classification"},
    ),
    "relevance": ("xlm-roberta", {"num_labels": 1}),
}
"""By name: shape, and what its configuration says of the labels."""


def make_classifier(folder: Path, name: str, *, seed: int = 7) -> Path:
    """Write a text classifier of ``CLASSIFIERS`` with its tokenizer into ``folder``."""
    torch, transformers = _libraries()
    torch.manual_seed(seed)
    shape, members = CLASSIFIERS[name]
    config = ENCODERS[shape](transformers)
    config.update({"label2id": {label: number for number, label in members.get("id2label", {}).items()}, **members})
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    _spread(torch, model)
    model.eval().save_pretrained(folder)
    make_tokenizer(folder, with_segments=shape == "bert")
    return folder


HEADS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "names": (
        "AutoModelForTokenClassification",
        "bert",
        {"id2label": {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}},
    ),
    "nli": (
        "AutoModelForSequenceClassification",
        "bert",
        {"id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}},
    ),
    "masks": ("AutoModelForMaskedLM", "distilbert", {}),
    "reader": ("AutoModelForQuestionAnswering", "bert", {}),
}
"""By name: transformers' class, shape, and what its configuration says of the labels."""


def make_head(folder: Path, name: str, *, seed: int = 7) -> Path:
    """Write an encoder with a head of ``HEADS`` and a WordPiece tokenizer, as such ones have, into ``folder``."""
    torch, transformers = _libraries()
    torch.manual_seed(seed)
    kind, shape, members = HEADS[name]
    config = ENCODERS[shape](transformers)
    config.update({"label2id": {label: number for number, label in members.get("id2label", {}).items()}, **members})
    model = getattr(transformers, kind).from_config(config)
    _spread(torch, model)
    model.eval().save_pretrained(folder)
    make_word_pieces(folder)
    return folder


def _t5(transformers: Any, **members: Any) -> Any:
    return transformers.T5Config(
        d_model=48, d_kv=12, d_ff=96, num_layers=2, num_heads=4, n_positions=CONTEXT, decoder_start_token_id=1,
        relative_attention_num_buckets=8, relative_attention_max_distance=20,
        task_specific_params={"summarization": {"prefix": "summarize: ", "max_length": 9, "num_beams": 4}},
        **members, **_SHARED,
    )  # fmt: skip


def _flan_t5(transformers: Any) -> Any:
    """Gated, and with an output matrix of its own."""
    return _t5(transformers, feed_forward_proj="gated-gelu", tie_word_embeddings=False)


def _mt5(transformers: Any) -> Any:
    return transformers.MT5Config(
        d_model=48, d_kv=12, d_ff=96, num_layers=2, num_heads=4, decoder_start_token_id=1, **_SHARED
    )


_TWO_PARTS = {
    "d_model": 48, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "max_position_embeddings": CONTEXT,
}  # fmt: skip

TEXT2TEXT: dict[str, tuple[str, Callable[[Any], Any], dict[str, Any]]] = {
    "t5": ("T5ForConditionalGeneration", _t5, {"no_repeat_ngram_size": 3}),
    "flan-t5": ("T5ForConditionalGeneration", _flan_t5, {}),
    "mt5": ("MT5ForConditionalGeneration", _mt5, {}),
    "bart": (
        "BartForConditionalGeneration",
        lambda transformers: transformers.BartConfig(decoder_start_token_id=0, **_TWO_PARTS, **_SHARED),
        {"forced_bos_token_id": 2, "forced_eos_token_id": 0, "no_repeat_ngram_size": 3, "min_length": 12},
    ),
    "mbart": (
        "MBartForConditionalGeneration",
        lambda transformers: transformers.MBartConfig(decoder_start_token_id=0, **_TWO_PARTS, **_SHARED),
        {"forced_bos_token_id": 77, "forced_eos_token_id": None},
    ),
    "marian": (
        "MarianMTModel",
        lambda transformers: transformers.MarianConfig(decoder_start_token_id=1, **_TWO_PARTS, **_SHARED),
        {"bad_words_ids": [[1], [300, 301]], "forced_eos_token_id": 0, "max_length": 100},
    ),
    "pegasus": (
        "PegasusForConditionalGeneration",
        lambda transformers: transformers.PegasusConfig(decoder_start_token_id=1, **_TWO_PARTS, **_SHARED),
        {"suppress_tokens": [33], "begin_suppress_tokens": [44]},
    ),
    "m2m100": (
        "M2M100ForConditionalGeneration",
        lambda transformers: transformers.M2M100Config(
            decoder_start_token_id=0, scale_embedding=False, **_TWO_PARTS, **_SHARED
        ),
        {"forced_bos_token_id": 88},
    ),
}
"""By name: transformers' class, its configuration, and what the generation configuration asks for."""


def make_text2text(folder: Path, name: str, *, seed: int = 7) -> Path:
    """Write an encoder-decoder of ``TEXT2TEXT`` with a tokenizer that ends every text, into ``folder``."""
    torch, transformers = _libraries()
    torch.manual_seed(seed)
    kind, config, rules = TEXT2TEXT[name]
    model = getattr(transformers, kind)(config(transformers))
    _spread(torch, model)
    for member, value in rules.items():
        setattr(model.generation_config, member, value)
    model.eval().save_pretrained(folder)
    make_sentence_pieces(folder)
    return folder


def make_sentence_pieces(folder: Path) -> None:
    """Train a tokenizer like SentencePiece's, whose words begin with ``▁`` and whose texts end, into ``folder``."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers  # noqa: PLC0415

    _, transformers = _libraries()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[EOS, "<|pad|>"], show_progress=False)
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {EOS}", special_tokens=[(EOS, 0)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=EOS, pad_token="<|pad|>", model_max_length=CONTEXT,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip


def make_word_pieces(folder: Path) -> None:
    """Train a WordPiece tokenizer with [CLS], [SEP] and [MASK], that tells segments, and write it into ``folder``."""
    from tokenizers import (  # noqa: PLC0415
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    _, transformers = _libraries()
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        _CORPUS, trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))  # their places in ``special``
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=CONTEXT, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_input_names=["input_ids", "attention_mask", "token_type_ids"],
    ).save_pretrained(folder)  # fmt: skip


def make_checkpoint(folder: Path, shape: str, *, seed: int = 7, with_chat_template: bool = False) -> Path:
    """Write a checkpoint of ``shape`` (a key of ``SHAPES``) with its tokenizer into ``folder``."""
    torch, transformers = _libraries()
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(SHAPES[shape](transformers))
    _spread(torch, model)
    model.eval().save_pretrained(folder)
    make_tokenizer(folder, with_chat_template=with_chat_template)
    return folder


def make_tokenizer(folder: Path, *, with_chat_template: bool = False, with_segments: bool = False) -> None:
    """Train a byte-level BPE tokenizer of ``VOCABULARY`` entries and write it into ``folder``.

    ``with_segments``: it says that the model wants to know where the second text of a pair begins.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415

    _, transformers = _libraries()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[EOS, "<|pad|>", "<|start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=EOS, eos_token=EOS, pad_token="<|pad|>", model_max_length=CONTEXT,
        model_input_names=["input_ids", "attention_mask", *(["token_type_ids"] if with_segments else [])],
    )  # fmt: skip
    if with_chat_template:
        fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)


def _spread(torch: Any, model: Any) -> None:
    """Widen the distribution: with untouched initial weights all logits are close and nothing is tested."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "norm" not in name:
                parameter.mul_(18.0 if "lm_head" in name else 6.0)


def _libraries() -> tuple[Any, Any]:
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    return torch, transformers
