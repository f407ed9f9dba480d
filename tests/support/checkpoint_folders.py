"""Model folders written byte by byte, without torch: whole ones, and pieces to damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "max_position_embeddings": 128,
    "eos_token_id": 2,
    "bos_token_id": 1,
}
ENCODER: dict[str, Any] = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}
TOKENIZER = {"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}}


def safetensors(tensors: dict[str, tuple[str, list[int]]], *, cut_bytes: int = 0) -> bytes:
    """A file of zeros for ``{name: (dtype, shape)}``; only F32 and BF16. ``cut_bytes`` are missing at its end."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        size = {"F32": 4, "BF16": 2}[dtype]
        for length in shape:
            size *= length
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    return framed(header) + bytes(end - cut_bytes)


def framed(header: object) -> bytes:
    """Length and JSON of a safetensors header."""
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded


def write_checkpoint(folder: Path, config: dict[str, Any] | None = None) -> Path:
    """A whole checkpoint: 6 + 4 elements in one file."""
    write_small_files(folder, config)
    (folder / "model.safetensors").write_bytes(safetensors({"a": ("F32", [2, 3]), "b": ("BF16", [4])}))
    return folder


def write_sharded(folder: Path) -> Path:
    """The same tensors in two shards with an index."""
    write_small_files(folder)
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / shards["a"]).write_bytes(safetensors({"a": ("F32", [2, 3])}))
    (folder / shards["b"]).write_bytes(safetensors({"b": ("BF16", [4])}))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    return folder


def write_ir(folder: Path) -> Path:
    """An OpenVINO IR with one constant of 16 bytes."""
    write_small_files(folder)
    layer = '<layer type="Const"><data element_type="f32" shape="4" offset="0" size="16" /></layer>'
    (folder / "openvino_model.xml").write_text(f'<?xml version="1.0"?>\n<net name="m"><layers>{layer}</layers></net>\n')
    (folder / "openvino_model.bin").write_bytes(bytes(16))
    return folder


def write_small_files(folder: Path, config: dict[str, Any] | None = None) -> None:
    """Configuration and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config or CONFIG))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
