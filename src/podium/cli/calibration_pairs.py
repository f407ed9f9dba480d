"""Labelled pairs of questions from a file, and their similarity by a running server's embedding model."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from podium.cli.connection import Connection
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.core.one_shot import Vectors
from podium.protocols.openai_answers import EmbeddingList

CALL_TEXTS = 64
CALL_CHARACTERS = 200_000
"""Texts of one call stay below the server's default limit of a body, whatever their letters."""


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two questions, and whether the answer to one answers the other."""

    a: str
    b: str
    same: bool


def read_pairs(path: Path) -> list[Pair]:
    """The pairs in a file of JSON lines; empty lines do not count. Raises Failure with the number of a bad line."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path}: cannot be read as text; check the path", ExitCode.USAGE) from error
    return [_pair(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _pair(path: Path, number: int, line: str) -> Pair:
    try:
        return msgspec.json.decode(line, type=Pair)
    except msgspec.DecodeError as error:
        raise Failure(
            f'{path}, line {number}: no pair; a line is {{"a": "…", "b": "…", "same": true or false}}', ExitCode.USAGE
        ) from error


def similarities(server: Connection, model: str, pairs: Sequence[Pair]) -> list[float]:
    """The cosine of each pair; a text that stands in several is embedded once."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.a, pair.b)))
    parts = [_embed(server, model, part) for part in _parts(texts)]
    vectors = np.concatenate(parts)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    row = {text: number for number, text in enumerate(texts)}
    return [float(unit[row[pair.a]] @ unit[row[pair.b]]) for pair in pairs]


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    characters = 0
    for text in texts:
        if part and (len(part) == CALL_TEXTS or characters + len(text) > CALL_CHARACTERS):
            yield part
            part, characters = [], 0
        part.append(text)
        characters += len(text)
    yield part


def _embed(server: Connection, model: str, texts: list[str]) -> Vectors:
    answer = server.post("/v1/embeddings", EmbeddingList, {"model": model, "input": texts, "encoding_format": "base64"})
    rows = [base64.b64decode(item.embedding) for item in answer.data if isinstance(item.embedding, str)]
    if len(rows) != len(texts):
        raise Failure(f"{server.url} answered {len(rows)} vectors to {len(texts)} texts; is that a Podium server?")
    vectors: Vectors = np.frombuffer(b"".join(rows), dtype="<f4").reshape(len(rows), -1)
    return vectors
