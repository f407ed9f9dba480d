"""The captured demonstration in README and docs is the one that the program draws."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console

from podium.cli.demo.canary_performance import Performance
from podium.cli.demo.canary_report import paragraphs
from podium.cli.rollout.picture import picture
from podium.demo.canary import Play
from podium.demo.fault_proxy import FaultCounts
from podium.demo.load import ClientCounts
from support.documents import Block, blocks
from support.rollout_answers import event, rollout
from support.source import ROOT


def captured(name: str) -> Block:
    (found,) = [block for block in blocks(Path(name), (ROOT / name).read_text()) if "demo" in block.mark]
    return found


def test_readme_and_docs_show_the_same() -> None:
    assert captured("README.md").body == captured("docs/rollouts.md").body


def labels(text: str) -> set[str]:
    """The words before the rows, up to the empty line after the rollout."""
    return {line[:11].strip() for line in text.splitlines() if line[9:11] == "  " and line[:1].strip()}


def test_the_rows_are_those_that_are_drawn() -> None:
    drawn = StringIO()
    rows = picture(rollout("rolled-back"), [event(1, "warmed")], 0.0, {"client": "x", "fault": "x"})
    Console(file=drawn, width=80).print(rows)
    assert labels(captured("README.md").body) == labels(drawn.getvalue()) | {"aborted"}  # which is counted too


def test_the_words_at_the_end_are_those_that_are_printed() -> None:
    shown = Performance("rolled-back", rollout("rolled-back"), (), ClientCounts(), FaultCounts())
    _, _, made, further = paragraphs(Play("errors", 0.2, 20.0), shown)
    words = " ".join(captured("README.md").body.split())
    assert made in words
    assert further in words
