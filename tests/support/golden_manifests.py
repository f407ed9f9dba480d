"""``python -m support.golden_manifests`` (in ``tests``): write the golden manifests anew."""

from __future__ import annotations

from podium.deploy.render import write
from support.deployments import VARIETIES, files_of
from support.source import ROOT

GOLDEN = ROOT / "tests/golden/kubernetes"

if __name__ == "__main__":
    for name in ("full-cpu", "full-gpu", "gateways-cpu"):
        document, profile = VARIETIES[name]
        write(files_of(document, profile), GOLDEN / name)
