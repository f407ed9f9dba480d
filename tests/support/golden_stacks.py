"""``python -m support.golden_stacks`` (in ``tests``): write the golden compose files anew."""

from __future__ import annotations

from podium.deploy.compose.document import write_compose
from support.source import ROOT
from support.stacks import STACKS, stack_files

GOLDEN = ROOT / "tests/golden/compose"
NAMES = ("host", "swarm", "swarm-gpus")
LEFT_OUT = "config/grafana/podium.json"  # it is the exported dashboard, byte for byte


if __name__ == "__main__":
    for name in NAMES:
        document, profile, swarm = STACKS[name]
        files = stack_files(document, profile, swarm=swarm)
        write_compose({path: text for path, text in files.items() if path != LEFT_OUT}, GOLDEN / name)
