"""``docs/operations.md``: every alert has its place, and every command exists."""

from __future__ import annotations

import re

import pytest

from podium.config.monitor import Monitor
from podium.monitor.rules import rules_of
from support.page_commands import commands_in, unknown_options
from support.source import ROOT

PAGE = (ROOT / "docs/operations.md").read_text()
TASKS = [
    "Install",
    "Upgrade",
    "Canary",
    "Rollback",
    "Drain a node",
    "Rotate keys",
    "Back up and restore",
    "Read an alert",
]


def test_every_alert_of_the_product_is_read_and_no_other() -> None:
    said = re.findall(r"^### (\w+)$", PAGE[PAGE.index("## Read an alert") :], re.MULTILINE)
    assert said == [rule.name for rule in rules_of(Monitor())]


def test_every_task_has_a_section() -> None:
    assert [task for task in TASKS if f"\n## {task}\n" not in PAGE] == []


@pytest.mark.parametrize("line", commands_in(PAGE))
def test_every_command_exists(line: str) -> None:
    assert unknown_options(line) == []
