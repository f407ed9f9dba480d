"""Every example of the page about tasks is answered by a server with a model of each task."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from podium.testing.server_process import server_process
from support.deadline import until
from support.documents import blocks
from support.source import ROOT

PAGE = Path("docs/tasks.md")
EXAMPLES = [
    (path, json.loads(body))
    for block in blocks(PAGE)
    for path, body in re.findall(r"curl http://127\.0\.0\.1:8080(\S+) .*? -d '(\{.*?\})'", block.body, re.DOTALL)
]
TASKS = {
    "translator": "text2text_generation",
    "minilm": "embed", "ranker": "rerank", "mood": "classify", "nli": "zero_shot", "names": "token_classification",
    "masks": "fill_mask", "reader": "question_answering",
}  # fmt: skip


def test_the_page_has_an_example_for_every_task() -> None:
    assert {TASKS[body["model"]] for _, body in EXAMPLES} == set(TASKS.values())


@pytest.fixture(scope="module")
def answers() -> dict[str, object]:
    """What a server of echo engines answers; a mask is ``_`` there."""
    models = [{"name": name, "source": "none", "task": task, "engine": "echo"} for name, task in TASKS.items()]
    with server_process(*models) as server:
        until("all models are ready", lambda: server.probe("readyz").status_code == 200, seconds=60.0)
        found: dict[str, object] = {}
        for path, body in EXAMPLES:
            given = json.loads(json.dumps(body).replace("[MASK]", "_"))
            answer = server.post(path, given)
            assert answer.status_code == 200, answer.text
            found[path] = answer.json()
        return found


@pytest.mark.parametrize("path", [path for path, _ in EXAMPLES])
def test_an_example_is_answered_with_what_the_page_says(answers: dict[str, object], path: str) -> None:
    told = (ROOT / PAGE).read_text().partition(f"8080{path} ")[2].partition("\n## ")[0]
    members = {
        "/v1/completions": ("usage", "prompt_tokens"),
        "/v1/rerank": ("results", "relevance_score"),
        "/v1/classify": ("labels", "probs"),
        "/v1/zero-shot-classification": ("labels", "scores"),
        "/v1/token-classification": ("entities", "entity_group"),
        "/v1/fill-mask": ("masks",),
        "/v1/question-answering": ("answers",),
        "/v1/embeddings": ("embedding",),
    }[path]
    for name in members:
        assert f'"{name}"' in json.dumps(answers[path])
        assert name in told
