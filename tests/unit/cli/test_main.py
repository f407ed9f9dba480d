"""How a command ends: its status, and at most one line about an error."""

from __future__ import annotations

import pytest

from podium.cli import output
from podium.cli.exit_codes import MEANINGS, ExitCode
from podium.core.errors import ModelNotFound
from support.command import Command


def test_every_exit_status_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)


def test_a_command_that_does_its_work_ends_with_0(command: Command) -> None:
    ended = command("version")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("podium ")


def test_an_unknown_option_ends_with_2_and_points_to_the_help(command: Command) -> None:
    ended = command("serve", "--prot", "1")
    assert ended.status == 2
    assert ended.err.startswith("error: No such option: --prot")
    assert ended.err.endswith("see podium serve --help\n")
    assert ended.err.count("\n") == 1


def test_an_unknown_command_ends_with_2(command: Command) -> None:
    ended = command("sreve")
    assert ended.status == 2
    assert "No such command 'sreve'" in ended.err


@pytest.mark.parametrize("words", [(), ("models",), ("config",)])
def test_a_group_without_a_command_shows_its_help_and_ends_with_2(command: Command, words: tuple[str, ...]) -> None:
    ended = command(*words)
    assert ended.status == 2
    assert ended.err.startswith(f"Usage: {' '.join(['podium', *words])} ")
    assert ended.out == ""


def test_a_wrong_configuration_ends_with_2_and_one_line(command: Command) -> None:
    ended = command("config", "check", "--set", "server.port=70000")
    assert ended.status == 2
    assert ended.err == "error: server.port: 70000 was given; should be less than or equal to 65535\n"


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, ""),
        (ModelNotFound("no such model"), 1, "error: no such model"),
    ],
)
def test_a_known_end_has_its_status_and_no_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, words: str
) -> None:
    monkeypatch.setattr(output, "line", lambda _: _raise(error))
    ended = command("version")
    assert ended.status == status
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_an_unforeseen_error_shows_where_it_happened_and_asks_for_a_report(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "line", lambda _: _raise(ZeroDivisionError("oops")))
    ended = command("version")
    assert ended.status == 1
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1] == (
        "error: ZeroDivisionError was not foreseen; this is a bug, please report the lines above"
    )
