"""``podium cache calibrate`` against a server that embeds by a rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.api.app import create_app
from podium.core.generation import TextPrompt
from podium.core.one_shot import OneShotRequest
from support.command import Command
from support.http_doubles import FakeEmbedded, FakeEmbedder, fake_backend
from support.http_server import RunningServer
from support.quiet_logs import captured_logs


class Angles(FakeEmbedder):
    """The vector of a text that ends in a number has that angle, in hundredths of a degree, and length 2."""

    async def embed(self, request: OneShotRequest, *, dimensions: int | None = None) -> FakeEmbedded:
        await super().embed(request, dimensions=dimensions)
        texts = [one.text for one in request.inputs if isinstance(one, TextPrompt)]
        angles = np.radians([int(text.split()[-1]) / 100 for text in texts])
        return FakeEmbedded(2 * np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32), 1)


def write(folder: Path, pairs: list[tuple[int, int, bool]]) -> Path:
    path = folder / "pairs.jsonl"
    lines = [json.dumps({"a": f"text {a}", "b": f"text {b}", "same": same}) for a, b, same in pairs]
    path.write_text("\n".join(lines) + "\n\n")
    return path


def calibrate(command: Command, path: Path, *options: str) -> tuple[Any, Angles]:
    embedder = Angles()
    with captured_logs(), RunningServer(create_app(fake_backend(embedder=embedder))) as server:
        return command("cache", "calibrate", str(path), "--model", "demo", "--url", server.url, *options), embedder


# Cosine of 60 degrees is 0.5: pairs that mean the same are 10 degrees apart (0.985), different ones 60.
PAIRS = [(number, number + 6000, False) for number in range(300)] + [
    (number, number + 1000, True) for number in range(8)
]


def test_the_threshold_and_what_it_does_are_shown(command: Command, tmp_path: Path) -> None:
    ended, _ = calibrate(command, write(tmp_path, PAIRS))
    assert ended.status == 0
    assert "0.501" in ended.out
    assert "100.0% (8 of 8 pairs that mean the same)" in ended.out
    assert "0 of 300 pairs of different questions" in ended.out
    assert "at most 0.994% of different questions, confidence 0.95" in ended.out


def test_as_json_every_number_is_there(command: Command, tmp_path: Path) -> None:
    ended, _ = calibrate(command, write(tmp_path, PAIRS), "--json", "--max-false-hits", "0.05", "--confidence", "0.9")
    found = json.loads(ended.out)
    assert found.pop("false_hit_bound") == pytest.approx(0.007646, abs=1e-5)
    assert found == {
        "threshold": 0.501, "confidence": 0.9, "false_hits": 0, "different": 300, "hits": 8, "same": 8, "hit_rate": 1.0,
    }  # fmt: skip


def test_each_text_is_embedded_once_in_calls_of_bounded_size(command: Command, tmp_path: Path) -> None:
    _, embedder = calibrate(command, write(tmp_path, PAIRS))
    sent = [one for request in embedder.requests for one in request.inputs]
    assert len(sent) == len(set(sent)) == len({number for a, b, _ in PAIRS for number in (a, b)})
    assert max(len(request.inputs) for request in embedder.requests) <= 64


def test_too_few_different_pairs_are_refused_with_the_number_that_is_needed(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path, PAIRS[2:])
    ended = command("cache", "calibrate", str(path), "--model", "demo")
    assert ended.status == 2
    assert "298 pairs of different questions" in ended.err
    assert "at least 299" in ended.err


def test_a_model_that_cannot_tell_questions_apart_gets_no_threshold(command: Command, tmp_path: Path) -> None:
    ended, _ = calibrate(command, write(tmp_path, [(number, number, False) for number in range(300)]))
    assert ended.status == 1
    assert "no threshold" in ended.err


@pytest.mark.parametrize("line", ["{", '{"a": "x", "b": "y"}', '{"a": "x", "b": "y", "same": 1}', "[]"])
def test_a_line_that_is_no_pair_is_named_by_its_number(command: Command, tmp_path: Path, line: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"a": "x", "b": "y", "same": true}\n' + line)
    ended = command("cache", "calibrate", str(path), "--model", "demo")
    assert (ended.status, "line 2" in ended.err) == (2, True)


def test_a_file_that_is_not_there_is_a_wrong_use(command: Command, tmp_path: Path) -> None:
    assert command("cache", "calibrate", str(tmp_path / "none"), "--model", "demo").status == 2
