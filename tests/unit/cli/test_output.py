"""What commands print is obeyed by no terminal, wherever a name or a reason in it came from."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from podium.cli import output

EVIL = "v2\x1b]0;title\x07\x1b[2J\x9b31m\r\x7fend"


class Terminal(io.StringIO):
    """Standard output or error, on a terminal."""

    def isatty(self) -> bool:
        return True


def _sent(show: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a terminal gets of it."""
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    with redirect_stdout(terminal), redirect_stderr(terminal):
        show()
    return terminal.getvalue()


def _drawn() -> Group:
    grid = Table.grid()
    grid.add_row(EVIL, Text(EVIL, style="red"))
    return Group(grid, Text.assemble((EVIL, "bold"), EVIL))


def _over() -> None:
    with output.screen() as screen:
        screen.show(_drawn())


def _staged() -> None:
    with output.stages() as stage:
        stage.show(EVIL)


@pytest.mark.parametrize(
    "show",
    [
        lambda: output.text(EVIL),
        lambda: output.line(EVIL),
        lambda: output.document({"reason": EVIL}),
        lambda: output.json_line([EVIL]),
        lambda: output.prose(EVIL),
        lambda: output.table([EVIL], [[EVIL, EVIL]], title=EVIL),
        lambda: output.facts({EVIL: EVIL}, title=EVIL),
        lambda: output.drawing(_drawn()),
        lambda: output.note(EVIL),
        lambda: output.warning(EVIL),
        lambda: output.failure(EVIL),
        _over,
        _staged,
    ],
)
def test_a_terminal_is_sent_no_control_character_of_what_is_shown(
    show: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = _sent(show, monkeypatch)
    assert "end" in sent
    assert [mark for mark in ("\x1b]0;", "\x07", "\x1b[2J", "\x9b", "\x7f") if mark in sent] == []


def test_our_own_colours_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = _sent(lambda: output.drawing(Text("worse", style="red")), monkeypatch)
    assert "\x1b[31mworse" in sent


def test_lines_of_text_end_as_they_did(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _sent(lambda: output.text("a\tb\r\nc\n"), monkeypatch) == "a\tb\r\nc\n"


def test_a_file_gets_a_result_as_it_is_and_pictures_without_what_would_be_obeyed_later(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.text(EVIL)
    assert capsys.readouterr().out == EVIL
    output.table(["revision"], [[EVIL]])
    assert "\x1b" not in capsys.readouterr().out
