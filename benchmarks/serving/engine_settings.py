"""Prints what Podium gives to openvino-genai for an engine setting (JSON on standard input), as JSON.

In a process of its own, so that the load client need not import the engine.
"""

from __future__ import annotations

import json
import sys

from podium.engine.adapters.silence import silence_openvino

silence_openvino()

from pydantic import TypeAdapter  # noqa: E402 - the engine is imported below, silenced

from podium.config.engine import OpenVINOEngine  # noqa: E402
from podium.engine.adapters.openvino import device_properties, scheduler_settings  # noqa: E402


def main() -> None:
    """Read, validate, print."""
    config = TypeAdapter(OpenVINOEngine).validate_python(json.load(sys.stdin))
    json.dump({"scheduler": scheduler_settings(config), "properties": device_properties(config)}, sys.stdout)


if __name__ == "__main__":
    main()
