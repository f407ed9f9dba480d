"""Stops libraries from reporting to their makers and from looking for files on a hub.

Nothing of this can be left to settings of the person who runs Podium: openvino's and nncf's opt-out is
a file in their home folder, and merely importing openvino's converter sends an event. Call these
before the library's first import.
"""

from __future__ import annotations

import importlib
import sys


def silence_openvino() -> None:
    """Make ``openvino_telemetry`` unimportable; openvino and nncf then use their own silent stand-ins."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


def silence_hub() -> None:
    """Put the Hugging Face hub library offline, where it is installed: model folders are complete."""
    try:
        constants = importlib.import_module("huggingface_hub.constants")
    except ImportError:
        return
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"):
        setattr(constants, name, True)


def hide_torchvision() -> None:
    """Make ``torchvision`` unimportable: a CUDA build beside CPU torch breaks the import of text models."""
    sys.modules["torchvision"] = None  # type: ignore[assignment]
