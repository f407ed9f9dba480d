"""Constrained output is checked by an independent validator, not trusted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from podium.core.generation import Constraint
from support.engine_driver import run, sequence
from support.engine_subjects import EOS, PRINCIPAL_SHAPE, Checkpoints, Subject
from support.require import require

PROMPT = (17, 42, 99, 256, 300, 11)
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]{1,8}$"},
        "size": {"type": "integer", "minimum": 0, "maximum": 99},
        "kind": {"enum": ["blue", "green"]},
        "ready": {"type": "boolean"},
    },
    "required": ["name", "size", "kind", "ready"],
    "additionalProperties": False,
}
REGEXES = [r"[a-f]{3,6}", r"(yes|no)( please)?", r"\d{4}-\d{2}-\d{2}"]


def _text(checkpoints: Checkpoints, token_ids: list[int]) -> str:
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(checkpoints.torch(PRINCIPAL_SHAPE) / "tokenizer.json"))
    decoded: str = tokenizer.decode([token for token in token_ids if token != EOS])
    return decoded


@pytest.mark.parametrize("regex", REGEXES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_regex_is_matched_whole(model: Subject, checkpoints: Checkpoints, regex: str, seed: int) -> None:
    if model.refuses("constraint"):
        return
    constraint = Constraint(kind="regex", source=regex)
    (answer,) = run(
        model.engine,
        sequence(PROMPT, max_tokens=60, stop_token_ids=[EOS], temperature=1.5, seed=seed, constraint=constraint),
    )
    assert answer.finish_reason == "stop"
    assert re.fullmatch(regex, _text(checkpoints, answer.token_ids))


def test_json_follows_its_schema(model: Subject, checkpoints: Checkpoints) -> None:
    """An engine that allows free whitespace may run out of tokens with a model this weak; what ends must be valid."""
    if model.refuses("constraint"):
        return
    constraint = Constraint(kind="json_schema", source=json.dumps(SCHEMA))
    sequences = [
        sequence(PROMPT, max_tokens=240, stop_token_ids=[EOS], temperature=0.8, seed=seed, constraint=constraint)
        for seed in range(8)
    ]
    ended = [answer for answer in run(model.engine, *sequences) if answer.finish_reason == "stop"]
    assert len(ended) >= 3
    for answer in ended:
        jsonschema.validate(json.loads(_text(checkpoints, answer.token_ids)), SCHEMA)


def test_a_string_with_a_bounded_length_is_valid_json(
    model: Subject, checkpoints: Checkpoints, request: pytest.FixtureRequest
) -> None:
    if model.refuses("constraint"):
        return
    if model.name == "openvino":
        # Strict: the day it is mended this fails, and the line goes.
        reason = "the xgrammar in openvino-genai 2026.4 miscounts, and lets control characters into such strings"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    schema = {"type": "string", "maxLength": 8}
    constraint = Constraint(kind="json_schema", source=json.dumps(schema))
    sequences = [
        sequence(PROMPT, max_tokens=60, stop_token_ids=[EOS], temperature=1.0, seed=seed, constraint=constraint)
        for seed in range(8)
    ]
    for answer in run(model.engine, *sequences):
        jsonschema.validate(json.loads(_text(checkpoints, answer.token_ids)), schema)


def test_a_constraint_binds_its_own_sequence_only(model: Subject) -> None:
    if model.refuses("constraint"):
        return
    (plain,) = run(model.engine, sequence(PROMPT))
    constraint = Constraint(kind="regex", source="(ab)+")
    bound = sequence(PROMPT, stop_token_ids=[EOS], constraint=constraint)
    _, free = run(model.engine, bound, sequence(PROMPT))
    assert free.token_ids == plain.token_ids


@pytest.mark.parametrize(
    "constraint",
    [Constraint(kind="regex", source="[a-"), Constraint(kind="json_schema", source='{"type": "nonsense"}')],
    ids=["regex", "schema"],
)
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.hf) for name in ("transformers", "openvino")])
def test_a_constraint_that_does_not_compile_is_refused_and_harms_nobody(
    name: str, checkpoints: Checkpoints, constraint: Constraint
) -> None:
    """At submit, or as its first output. In a process of its own: the library may take the process with it."""
    _ready(name, checkpoints)
    tests = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "support.refused_constraint",
            name,
            checkpoints.folder,
            constraint.kind,
            constraint.source,
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "error_code": "invalid_request",
        "error_tokens": [],
        "neighbour_is_unharmed": True,
    }


def _ready(name: str, checkpoints: Checkpoints) -> None:
    """Make the model here, where a missing library is a visible skip."""
    require("torch")
    if name == "openvino":
        require("optimum")
        checkpoints.openvino(PRINCIPAL_SHAPE)
    else:
        checkpoints.torch(PRINCIPAL_SHAPE)
