"""Commands in documentation: what is written there can be typed."""

from __future__ import annotations

import re
import shlex

import typer

from podium.cli.main import app


def commands_in(page: str) -> list[str]:
    """Every command of ours that a page shows at a prompt, without what it is piped into."""
    lines = re.findall(r"^\s*\$ (podium .*)$", page, re.MULTILINE)
    return [line.split(" > ")[0].split(" | ")[0].removesuffix(" &") for line in lines]


def unknown_options(line: str) -> list[str]:
    """Options in ``line`` that its command does not have; the command itself, when there is none."""
    command = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
    if getattr(command, "commands", None):
        return words[:1]
    known = {name for parameter in command.params for name in parameter.opts}
    return [word for word in words if word.startswith("--") and word not in known]
