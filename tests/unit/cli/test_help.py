"""Every command explains itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from podium.cli.main import app

EXAMPLE = re.compile(r"^ +((?:[A-Z_]+=\S+ )?(?:echo .* \| )?podium .*?)(?: {3,}.*)?$", re.MULTILINE)
CONTINUED = re.compile(r" \\\n +")


def _commands(command: Any, path: str = "podium") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, f"{path} {name}")


COMMANDS = dict(_commands(typer.main.get_command(app)))


def _help(path: str) -> str:
    command = COMMANDS[path]
    text: str = command.get_help(command.context_class(command, info_name=path, terminal_width=100))
    return text


def _examples(path: str) -> list[str]:
    text = _help(path).partition("Examples:")[2].partition("\nOptions:")[0]
    return EXAMPLE.findall(CONTINUED.sub(" ", text))


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_has_examples_of_this_very_command(path: str) -> None:
    examples = _examples(path)
    assert examples
    assert [example for example in examples if path not in example] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_example_is_a_command_line_that_is_understood(path: str) -> None:
    for example in _examples(path):
        words = shlex.split(example[example.rindex("podium ") if "|" in example else example.index("podium ") :])
        command, depth = COMMANDS["podium"], 1
        while hasattr(command, "commands"):
            command, depth = command.commands[words[depth]], depth + 1
        command.make_context(words[0], words[depth:])


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_and_argument_is_explained(path: str) -> None:
    silent = [
        parameter.name
        for parameter in COMMANDS[path].params
        if not getattr(parameter, "help", None) and not getattr(parameter, "hidden", False)
    ]
    assert silent == []


def test_every_command_with_a_result_can_print_it_as_json() -> None:
    forever = {"podium up", "podium serve"}
    leaves = {path: command for path, command in COMMANDS.items() if not hasattr(command, "commands")}
    without = {
        path for path, command in leaves.items() if "--json" not in [opt for p in command.params for opt in p.opts]
    }
    assert without == forever
