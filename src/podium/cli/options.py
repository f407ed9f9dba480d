"""Options that several commands share, and the settings that they lead to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.config import sources

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Configuration file; ./podium.yaml is read when there is one.", metavar="FILE"),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="One setting, over file and environment: --set server.port=9000. May repeat.",
        metavar="PATH=VALUE",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="A running server; the configured address if left out.", metavar="URL"),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file", help="File with the key to send; the variable PODIUM_API_KEY if left out.", metavar="FILE"
    ),
]

_GIVEN_NAME = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)=(?P<source>.+)", re.DOTALL)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+\Z")


def settings_from(config: Path | None, assignments: list[str] | None = None, **flags: object) -> sources.LoadedSettings:
    """Settings of flag, environment, file and default. ``flags``: ``server__port=9000``; None is not given."""
    given = {path.replace("__", "."): value for path, value in flags.items() if value is not None}
    assigned = dict(sources.parse_assignment(text) for text in assignments or [])
    return sources.load({**assigned, **given}, config, sources.read_environment())


def models_from(texts: list[str] | None, engine: str | None = None) -> list[dict[str, object]] | None:
    """The ``models`` setting of ``--model PATH_OR_ID`` and ``--model name=PATH_OR_ID``; None when none is given."""
    if not texts:
        if engine is not None:
            raise Failure("--engine goes with --model; for configured models set `engine` there", ExitCode.USAGE)
        return None
    extra: dict[str, object] = {} if engine is None else {"engine": engine}
    return [{**model_from(text), **extra} for text in texts]


def model_from(text: str) -> dict[str, object]:
    """Name and source of one ``--model``."""
    named = _GIVEN_NAME.match(text)
    given, name = (named["source"], named["name"]) if named else (text, None)
    folder = Path(given).expanduser()
    if folder.is_dir():
        return {"name": name or folder.resolve().name, "source": str(folder.resolve())}
    if given == "none" or given.startswith("builtin:"):
        return {"name": name or given.removeprefix("builtin:"), "source": given}
    if _HUB_ID.match(given):
        return {"name": name or given.rpartition("/")[2], "source": given}
    raise Failure(
        f"--model {given}: no such folder; give a checkpoint's folder, a hub id such as owner/name, or builtin:demo",
        ExitCode.USAGE,
    )
