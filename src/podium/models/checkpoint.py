"""What is in a model folder, found out without torch and without running anything from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from podium.core.errors import CheckpointInvalid, CheckpointUnsafe
from podium.core.one_shot import WRITING, Task
from podium.models import openvino_ir
from podium.models.folder_safety import check_links, check_no_code, check_no_pickles
from podium.models.safetensors_header import Header, read_header
from podium.models.sentence_embedding import position_count
from podium.models.small_json import read_json
from podium.models.task import task_of

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
TOKENIZER = "tokenizer.json"

_CONTEXT_MEMBERS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")

Format = Literal["safetensors", "openvino"]


@dataclass(frozen=True)
class Checkpoint:
    """A model folder that passed every check.

    ``max_model_len`` is 0 when the configuration does not say. ``parameters`` counts tensor elements and
    ``dtype`` is the one most of them have (``F32``, ``BF16``, …); both are None for OpenVINO IR.
    ``files`` are the names of the weight files.
    """

    path: Path
    format: Format
    architecture: str
    model_type: str
    task: Task
    max_model_len: int
    eos_token_ids: frozenset[int]
    bos_token_id: int | None
    weight_bytes: int
    parameters: int | None
    dtype: str | None
    files: tuple[str, ...]
    trust_remote_code: bool = False


def inspect(folder: Path, *, task: Literal["auto"] | Task = "auto", trust_remote_code: bool = False) -> Checkpoint:
    """Check the folder and say what it holds. Reads headers and small files only; changes nothing.

    Raises ``CheckpointInvalid`` for missing or damaged files, ``CheckpointUnsafe`` for pickles, code and
    links that leave the folder, ``UnsupportedArchitecture`` for what cannot do ``task``, or nothing that is known.
    """
    if not folder.is_dir():
        raise CheckpointInvalid("The model source is not a folder; give one that holds config.json and weights.")
    check_links(folder)
    config = read_json(
        folder, CONFIG, dict[str, Any], hint="a model folder holds config.json, weights and tokenizer.json."
    )
    is_ir = (folder / openvino_ir.GRAPH).is_file()
    if not is_ir:
        check_no_pickles(folder)
    if not trust_remote_code:
        check_no_code({CONFIG: config, **_optional_json(folder, "tokenizer_config.json")})
    does, architecture = task_of(folder, config, task)
    weights = _Weights.of_ir(folder) if is_ir else _Weights.of_safetensors(folder)
    _check_tokenizer(folder)
    described = _describe(folder, config, architecture, weights, trust_remote_code=trust_remote_code)
    length = described.max_model_len if does in WRITING else position_count(config)
    return replace(described, task=does, max_model_len=length)


@dataclass(frozen=True)
class _Weights:
    format: Format
    files: tuple[str, ...]
    bytes: int
    parameters: int | None = None
    dtype: str | None = None

    @classmethod
    def of_ir(cls, folder: Path) -> _Weights:
        return cls("openvino", openvino_ir.FILES, openvino_ir.check(folder))

    @classmethod
    def of_safetensors(cls, folder: Path) -> _Weights:
        headers = _read_headers(folder)
        by_dtype: Counter[str] = Counter()
        for header in headers.values():
            for tensor in header.tensors.values():
                by_dtype[tensor.dtype] += tensor.elements
        return cls(
            format="safetensors",
            files=tuple(headers),
            bytes=sum(header.data_bytes for header in headers.values()),
            parameters=by_dtype.total(),
            dtype=max(by_dtype, key=by_dtype.__getitem__, default=None),
        )


def _describe(
    folder: Path, config: dict[str, Any], architecture: str, weights: _Weights, *, trust_remote_code: bool
) -> Checkpoint:
    text = _text_config(config)
    generation = _optional_json(folder, "generation_config.json").get("generation_config.json", {})
    eos = generation.get("eos_token_id", text.get("eos_token_id"))
    bos = text.get("bos_token_id")
    return Checkpoint(
        path=folder,
        format=weights.format,
        architecture=architecture,
        model_type=str(config.get("model_type", "")),
        task="generate",
        max_model_len=_context(text),
        eos_token_ids=frozenset([eos] if isinstance(eos, int) else eos or []),
        bos_token_id=bos if isinstance(bos, int) else None,
        weight_bytes=weights.bytes,
        parameters=weights.parameters,
        dtype=weights.dtype,
        files=weights.files,
        trust_remote_code=trust_remote_code,
    )


def _read_headers(folder: Path) -> dict[str, Header]:
    """Checked headers of all weight files, by name. An index must agree with its shards."""
    if not (folder / INDEX).is_file():
        if not (folder / SINGLE).is_file():
            raise _without_weights(folder)
        return {SINGLE: read_header(folder / SINGLE)}
    index = read_json(folder, INDEX, dict[str, Any]).get("weight_map")
    if not isinstance(index, dict) or not index or not all(isinstance(name, str) for name in index.values()):
        raise CheckpointInvalid(f"{INDEX} has no weight_map; fetch the file again.")
    headers = {name: _read_shard(folder, name) for name in sorted(set(index.values()))}
    for tensor, shard in index.items():
        if tensor not in headers[shard].tensors:
            raise CheckpointInvalid(f"{shard} lacks a tensor that {INDEX} promises; fetch both files again.")
    return headers


def _read_shard(folder: Path, name: str) -> Header:
    if Path(name).name != name:
        raise CheckpointUnsafe(f"{INDEX} points outside the model folder; use the original file.")
    if not (folder / name).is_file():
        raise CheckpointInvalid(f"{name} is missing, and {INDEX} lists it; fetch the missing shard.")
    return read_header(folder / name)


def _without_weights(folder: Path) -> CheckpointInvalid:
    if (folder / "adapter_model.safetensors").is_file():
        return CheckpointInvalid("The folder holds only a LoRA adapter; merge it into its base model and save that.")
    return CheckpointInvalid(
        f"The folder holds no weights: neither {SINGLE}, nor {INDEX} with its shards, nor {openvino_ir.GRAPH}."
    )


def _context(text: dict[str, Any]) -> int:
    return next((value for name in _CONTEXT_MEMBERS if isinstance(value := text.get(name), int)), 0)


def _text_config(config: dict[str, Any]) -> dict[str, Any]:
    nested = config.get("text_config")
    return {**config, **nested} if isinstance(nested, dict) else config


def _check_tokenizer(folder: Path) -> None:
    if not (folder / TOKENIZER).is_file() and (folder / "source.spm").is_file():
        raise CheckpointInvalid(
            f"{TOKENIZER} is missing, and the two SentencePiece models in its place (source.spm, target.spm) are not "
            "read here; get the checkpoint with a fast tokenizer."
        )
    if not (folder / TOKENIZER).is_file():
        raise CheckpointInvalid(
            f"{TOKENIZER} is missing; make it inside the folder (needs podium[hf]) with: python -c "
            "\"from transformers import AutoTokenizer as T; T.from_pretrained('.').save_pretrained('.')\""
        )
    if not isinstance(read_json(folder, TOKENIZER, dict[str, Any]).get("model"), dict):
        raise CheckpointInvalid(f"{TOKENIZER} is not a tokenizer; fetch the file again.")


def _optional_json(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    return {name: read_json(folder, name, dict[str, Any])} if (folder / name).is_file() else {}
