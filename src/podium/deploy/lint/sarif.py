"""Findings as SARIF 2.1.0, which code hosts show beside the files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from podium.deploy.lint.finding import Finding, Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(findings: Iterable[Finding], version: str, rules: Sequence[Rule], folder: Path) -> dict[str, Any]:
    """One run with the rules that were looked at, and a result for each finding.

    ``folder``: what the files of findings are in. Given from the root of a repository, their addresses are, too.
    """
    described = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.why},
            "help": {"text": rule.fix},
            "defaultConfiguration": {"level": rule.severity},
        }
        for rule in rules
    ]
    order = {rule.id: number for number, rule in enumerate(rules)}
    driver = {"name": "podium deploy check", "version": version, "rules": described}
    results = [_result(finding, order[finding.rule], folder) for finding in findings]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(finding: Finding, index: int, folder: Path) -> dict[str, Any]:
    path = folder / finding.file
    address = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    where = {
        "physicalLocation": {"artifactLocation": {"uri": address}, "region": {"startLine": 1}},  # hosts want a line
        "logicalLocations": [{"fullyQualifiedName": f"{finding.object} {finding.path}"}],
    }
    text = f"{finding.object} {finding.path}: {finding.message}. {finding.fix}"
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": text},
        "locations": [where],
    }
