"""``python -m support.golden_stacks`` (in ``tests``): write the golden compose files anew."""

from __future__ import annotations

import re

from podium.deploy.compose.document import write_compose
from support.source import ROOT
from support.stacks import STACKS, stack_files

GOLDEN = ROOT / "tests/golden/compose"
NAMES = ("host", "swarm", "swarm-gpus")
DASHBOARD, RULES = "config/grafana/podium.json", "config/prometheus/rules/podium.yml"
_DIGEST = re.compile(r"\b[0-9a-f]{12}$", re.MULTILINE)


def reviewed(files: dict[str, str]) -> dict[str, str]:
    """What of ``files`` is compared: not the exported rules and dashboard, whose own tests do, nor digests of them."""
    return {path: _DIGEST.sub("DIGEST", text) for path, text in files.items() if path not in {DASHBOARD, RULES}}


if __name__ == "__main__":
    for name in NAMES:
        document, profile, swarm = STACKS[name]
        write_compose(reviewed(stack_files(document, profile, swarm=swarm)), GOLDEN / name)
