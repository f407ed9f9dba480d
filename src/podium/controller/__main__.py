"""``python -m podium.controller FOLDER``: the controller of one ``podium up``, which starts it."""

from __future__ import annotations

import sys
from pathlib import Path

from podium.aio.parent import stop_when_stdin_closes
from podium.config.sources import load
from podium.controller.controller import run
from podium.controller.run_folder import RunFolder
from podium.core.errors import ConfigurationError

_WRONG_USAGE = 2


def main(folder: RunFolder) -> int:
    """Control the gateway of ``folder`` with the settings there; returns the exit status."""
    stop_when_stdin_closes()
    try:
        return run(load({}, folder.controller_settings, {}).settings, folder)
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return _WRONG_USAGE


if __name__ == "__main__":
    sys.exit(main(RunFolder(Path(sys.argv[1]))))
