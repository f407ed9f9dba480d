"""Everything that ``podium monitor export`` writes, by its path in the folder."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from podium.config.settings import Settings
from podium.core.errors import ConfigurationError
from podium.deploy.prometheus.alertmanager import alertmanager_config
from podium.deploy.prometheus.condition import Condition
from podium.deploy.prometheus.conditions import conditions_of
from podium.deploy.prometheus.objectives import recordings
from podium.deploy.prometheus.scrapes import INTERVAL, prometheus_config
from podium.deploy.prometheus.unit_tests import test_file

RULES = "rules/podium.yml"
_MADE = "# Written by `podium monitor export` from the settings; edit those.\n"


def monitoring_files(settings: Settings, *, runbooks: str | None = None, key_file: str | None = None) -> dict[str, str]:
    """Text by relative path. ``runbooks``: address of the page with a heading for each alert, else as it is set."""
    given = settings.monitor
    conditions = conditions_of(given)
    return {
        RULES: _yaml(rule_file(settings, runbooks)),
        "rules/podium.test.yml": _yaml(test_file(conditions, given, [Path(RULES).name])),
        "prometheus.yml": _yaml(prometheus_config(settings, rule_files=[RULES], key_file=key_file)),
        "alertmanager.yml": _yaml(alertmanager_config(given)),
        "grafana/podium.json": dashboard_text(),
    }


def rule_file(settings: Settings, runbooks: str | None = None) -> dict[str, Any]:
    """One file with the recorded ratios and the alerts, evaluated in this order."""
    return rule_groups(settings, conditions_of(settings.monitor), runbooks or settings.deploy.runbooks)


def rule_groups(settings: Settings, conditions: Iterable[Condition], runbooks: str) -> dict[str, Any]:
    """The same with these alerts."""
    return {
        "groups": [
            {"name": "podium-objectives", "interval": INTERVAL, "rules": recordings(settings.monitor)},
            {"name": "podium-alerts", "interval": INTERVAL, "rules": [each.rule(runbooks) for each in conditions]},
        ]
    }


def dashboard_text() -> str:
    """The Grafana dashboard, as ``scripts/dashboard.py`` has made it."""
    return (files("podium.deploy.prometheus") / "dashboard.json").read_text("utf-8")


def write(texts: dict[str, str], folder: Path) -> None:
    """Write the files, replacing those of an earlier export. Raises ``ConfigurationError`` where that is impossible."""
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error


def _yaml(value: dict[str, Any]) -> str:
    return _MADE + yaml.safe_dump(value, sort_keys=False, width=120, allow_unicode=True)
