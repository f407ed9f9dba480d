"""``docs/operations.md`` and ``docs/runbooks.md``: every task and alert has its place, and every command exists."""

from __future__ import annotations

import re

import pytest

from podium.config.monitor import Monitor
from podium.config.settings import Settings
from podium.deploy.kubernetes.alerting import prometheus_rules, scaler_rules
from podium.deploy.plan import plan_of
from podium.deploy.prometheus.files import rule_file
from podium.monitor.rules import rules_of
from support.deployments import GATEWAYS, settings_of
from support.page_commands import commands_in, unknown_options
from support.source import ROOT

PAGE = (ROOT / "docs/operations.md").read_text()
RUNBOOKS = (ROOT / "docs/runbooks.md").read_text()
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


def test_every_alert_of_the_monitor_has_a_runbook_and_the_others_say_where_they_are_judged() -> None:
    said = dict(re.findall(r"^## (\w+)\n\n(.*)$", RUNBOOKS, re.MULTILINE))
    own = {name for name, begin in said.items() if not begin.startswith("*Prometheus only.*")}
    assert own == {rule.name for rule in rules_of(Monitor())}


def test_every_alert_that_is_exported_or_rendered_has_one_section_and_no_section_is_left_over() -> None:
    rendered = plan_of(settings_of(GATEWAYS), "cpu")
    objects = [*prometheus_rules(rendered), *scaler_rules(rendered)]
    groups = [*rule_file(Settings())["groups"], *(group for each in objects for group in each["spec"]["groups"])]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    sections = re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE)
    assert sorted(sections) == sorted(alerts | {rule.name for rule in rules_of(Monitor())})


def test_every_task_has_a_section() -> None:
    assert [task for task in TASKS if f"\n## {task}\n" not in PAGE] == []


@pytest.mark.parametrize("line", commands_in(PAGE + RUNBOOKS))
def test_every_command_exists(line: str) -> None:
    assert unknown_options(line) == []
