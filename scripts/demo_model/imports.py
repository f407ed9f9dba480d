"""Keep an unusable torchvision out of the way of transformers and optimum.

optimum-intel pulls in a torchvision build that may not match a CPU build of torch;
importing it then fails although no vision code is used here.
"""

from __future__ import annotations

import sys


def without_torchvision() -> None:
    """Make ``import torchvision`` fail cleanly in this process, as if not installed."""
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]
