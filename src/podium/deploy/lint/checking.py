"""Every rule over every set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from podium.deploy.lint.finding import Finding, Rule
from podium.deploy.lint.graph import Graph
from podium.deploy.lint.rules.table import RULES


def check(sets: Mapping[str, Graph], rules: Iterable[Rule] = RULES) -> list[Finding]:
    """What the rules find, by set, then by rule. Objects are never changed."""
    kept = list(rules)
    return [
        Finding(
            rule=rule.id,
            severity=rule.severity,
            set=name,
            file=item.file,
            object=str(item),
            path=path,
            message=message,
            why=rule.why,
            fix=rule.fix,
        )
        for name, graph in sets.items()
        for rule in kept
        for item, path, message in rule.look(graph)
    ]
