"""Prints what Podium gives to openvino-genai for a model folder and an engine setting (JSON on standard input).

In a process of its own, so that the load client need not import the engine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from podium.engine.adapters.silence import silence_openvino

silence_openvino()

from pydantic import TypeAdapter  # noqa: E402 - the engine is imported below, silenced

from podium.config.engine import OpenVINOEngine  # noqa: E402
from podium.engine.adapters.openvino import device_properties, has_int8_weights, scheduler_settings  # noqa: E402


def main() -> None:
    """Read, validate, print."""
    config = TypeAdapter(OpenVINOEngine).validate_python(json.load(sys.stdin))
    json.dump(
        {
            "scheduler": scheduler_settings(config),
            "properties": device_properties(config, int8_weights=has_int8_weights(Path(sys.argv[1]))),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
