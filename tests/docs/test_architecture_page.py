"""``docs/architecture.md`` names files and layers that exist."""

from __future__ import annotations

import re
import tomllib

import pytest

from support.source import PACKAGE, ROOT

PAGE = (ROOT / "docs/architecture.md").read_text()


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", PAGE))
    assert len(named) > 15
    assert sorted(name for name in named if not (PACKAGE / name).exists()) == []


@pytest.mark.parametrize(("title", "least"), [("## The way of a request", 8), ("## The way of a change of weights", 5)])
def test_a_way_is_told_in_numbered_sentences(title: str, least: int) -> None:
    section = PAGE[PAGE.index(title) :].removeprefix("## ").partition("\n## ")[0]
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= least


def test_the_layers_stand_in_the_order_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    contract = [name for layer in layers for name in re.findall(r"\w+", layer)]
    table = PAGE[PAGE.index("## The layers") :]
    shown = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert shown == contract
