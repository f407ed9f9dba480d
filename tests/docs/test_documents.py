"""Documents agree with the repository: links lead somewhere, code blocks are whole, nothing private is told."""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from podium.config.sources import load
from support.documents import Block, blocks, documents, links
from support.source import ROOT

DOCUMENTS = documents()
BLOCKS = [block for path in DOCUMENTS for block in blocks(path)]

LANGUAGES = {"console", "python", "yaml", "json", "text", "sh", "toml", ""}
PARSERS: dict[str, Callable[[str], object]] = {"python": ast.parse, "json": json.loads, "toml": tomllib.loads}
PROMISED_TARGETS = ("run", "test", "check", "install", "docs", "bench", "spec", "lock", "test-deps", "clean")


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_link_leads_to_a_file_of_the_repository(path: Path) -> None:
    local = [target.partition("#")[0] for target in links(path) if "://" not in target]
    assert [target for target in local if target and not (ROOT / path.parent / target).exists()] == []


def test_every_block_says_what_language_it_is() -> None:
    assert [str(block) for block in BLOCKS if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in PARSERS], ids=str)
def test_a_block_is_what_it_says(block: Block) -> None:
    PARSERS[block.language](block.body)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml" and b.mark != "planned"], ids=str)
def test_yaml_blocks_are_configurations_that_load(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block marked ``<!-- planned -->`` shows what is not there yet and is only parsed."""
    monkeypatch.chdir(tmp_path)
    assert isinstance(yaml.safe_load(block.body), dict)
    (tmp_path / "podium.yaml").write_text(block.body)
    load({}, None, {})


def test_the_makefile_has_every_target_that_documents_promise() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in PROMISED_TARGETS if f"\n{target}:" not in makefile] == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_has_context_decision_rejected_alternatives_and_consequences(path: Path) -> None:
    text = path.read_text()
    headings = ["## Context", "## Decision", "## Rejected", "## Consequences"]
    assert [heading for heading in headings if heading not in text] == []
    assert text.index(headings[0]) < text.index(headings[1]) < text.index(headings[2]) < text.index(headings[3])


def test_blocks_are_found_with_language_mark_and_line() -> None:
    text = "# A\n\n<!-- run -->\n```console\n$ podium version\npodium 1\n$ true\n```\n\n```python\nx = 1\n```\n"
    console, python = blocks(Path("x.md"), text)
    assert (console.language, console.mark, console.line) == ("console", "run", 4)
    assert console.commands() == [("podium version", "podium 1\n"), ("true", "")]
    assert (python.language, python.mark, python.body) == ("python", "", "x = 1\n")
