"""Calls out of an answer, piece by piece: what is text stays text, what is a call comes as its name and arguments.

Nothing is evaluated. What looks like a call and names no tool that was offered, or is no JSON object, is text.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from podium.core.generation import ToolCallDelta
from podium.engine.tool_calls.call_reader import CallReader
from podium.engine.tool_calls.format import ToolFormat

_HERMES_OPEN, _HERMES_CLOSE = "<tool_call>", "</tool_call>"
_MISTRAL_OPEN, _MISTRAL_ID, _MISTRAL_ARGUMENTS = "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"
_LLAMA_OPEN = "<|python_tag|>"
_BETWEEN_CALLS = ",;] \n\t"
_LONGEST_NAME = 256


class ToolCallParser:
    """Parses the text of one choice. ``count`` is how many calls have begun, ``whole`` how many have ended.

    ``forced``: the answer was held to the grammar of ``grammar.call_constraint``, whatever the model's format is.
    ``single``: one call is the most there may be.
    """

    def __init__(self, kind: ToolFormat, offered: Container[str], *, forced: bool, single: bool) -> None:
        self.count = 0
        self.whole = 0
        self._kind = kind
        self._offered = offered
        self._single = single
        self._held = ""
        self._text = ""
        self._deltas: list[ToolCallDelta] = []
        self._call: CallReader | None = None
        self._opened_with = ""
        self._state: Callable[[], bool] = self._in_list if forced else self._at_start

    @property
    def enough(self) -> bool:
        """Whether the answer has the one call that it may have."""
        return self._single and self.whole > 0

    def push(self, text: str, *, last: bool = False) -> tuple[str, tuple[ToolCallDelta, ...]]:
        """The text and the pieces of calls that are certain after ``text``; with ``last`` nothing is held back."""
        self._held += text
        while self._held and self._state():
            pass
        if last:
            self._give_up()
        said, deltas = self._text, tuple(self._deltas)
        self._text = ""
        self._deltas.clear()
        return said, deltas

    def _give_up(self) -> None:
        if self._call is not None and self._call.name is None:
            self._text += self._opened_with + self._call.raw
        elif self._call is None:
            self._text += self._opened_with
        if not (self.count and self._held.strip(_BETWEEN_CALLS) in ("", _HERMES_CLOSE)):
            self._text += self._held
        self._held, self._opened_with, self._call = "", "", None

    # Each state looks at what is held. It returns whether another look is worth while.

    def _at_start(self) -> bool:
        """Only llama's calls begin where the answer does; the others have a mark of their own."""
        if self._kind != "llama3":
            self._state = self._in_text
            return True
        stripped = self._held.lstrip()
        if not stripped or (_LLAMA_OPEN.startswith(stripped) and stripped != _LLAMA_OPEN):
            return False
        if stripped.startswith(_LLAMA_OPEN):
            self._open(_LLAMA_OPEN, stripped.removeprefix(_LLAMA_OPEN), self._in_list)
        elif stripped.startswith("{"):
            self._state = self._in_list
        else:
            self._state = self._in_text
        return True

    def _in_text(self) -> bool:
        mark = {"hermes": _HERMES_OPEN, "mistral": _MISTRAL_OPEN, "llama3": _LLAMA_OPEN}[self._kind]
        before, found, after = self._held.partition(mark)
        if found:
            said = before.rstrip() if self._kind == "hermes" else before
            self._text += said
            self._open(
                before[len(said) :] + mark,
                after,
                self._after_mistral_mark if self._kind == "mistral" else self._in_list,
            )
            return True
        certain = self._held[: len(self._held) - _length_of_beginning(self._held, mark)]
        if self._kind == "hermes":
            certain = certain.rstrip()  # white space before a call is no text
        self._text += certain
        self._held = self._held[len(certain) :]
        return False

    def _open(self, mark: str, rest: str, state: Callable[[], bool]) -> None:
        self._opened_with, self._held, self._state = mark, rest, state

    def _after_mistral_mark(self) -> bool:
        stripped = self._held.lstrip()
        if not stripped:
            return False
        self._state = self._in_list if stripped[0] in "[{" else self._in_named_call
        return True

    def _in_named_call(self) -> bool:
        """``name[ARGS]{…}``, with ``[CALL_ID]id`` before the arguments in some versions."""
        head, found, rest = self._held.partition("{")
        if not found:
            return len(self._held) > _LONGEST_NAME and self._is_text()
        name = head.split(_MISTRAL_ARGUMENTS)[0].split(_MISTRAL_ID)[0].strip()
        if name not in self._offered:
            return self._is_text()
        self._opened_with = ""
        self._held = found + rest
        self._begin(CallReader(self._offered, name=name))
        self._begun(name)
        return True

    def _is_text(self) -> bool:
        self._text += self._opened_with
        self._opened_with = ""
        self._state = self._all_text
        return True

    def _all_text(self) -> bool:
        self._text += self._held
        self._held = ""
        return False

    def _in_list(self) -> bool:
        """Between calls: in a list, after a mark, or where another may follow."""
        if self._kind == "mistral" and self.count and (waits := self._at_next_mark()) is not None:
            return not waits
        stripped = self._held.lstrip(_BETWEEN_CALLS + "[")
        if not stripped:
            if self.count:
                self._held = ""
            return False
        if stripped[0] != "{":
            return self._leave(stripped)
        self._opened_with += self._held[: len(self._held) - len(stripped)]
        self._held = stripped
        self._begin(CallReader(self._offered))
        return True

    def _at_next_mark(self) -> bool | None:
        """Whether more is needed to tell that another mark follows; None when none does."""
        found = self._held.lstrip(_BETWEEN_CALLS)
        if not found or not _MISTRAL_OPEN.startswith(found[: len(_MISTRAL_OPEN)]):
            return None
        if len(found) < len(_MISTRAL_OPEN):
            return True
        self._open(_MISTRAL_OPEN, found.removeprefix(_MISTRAL_OPEN), self._after_mistral_mark)
        return False

    def _begin(self, call: CallReader) -> None:
        self._call = call
        self._state = self._in_call

    def _begun(self, name: str) -> None:
        self._deltas.append(ToolCallDelta(self.count, name))
        self.count += 1

    def _leave(self, rest: str) -> bool:
        """Something else than a call where one might be."""
        if self._kind == "hermes" and self.count and _HERMES_CLOSE.startswith(rest[: len(_HERMES_CLOSE)]):
            if len(rest) < len(_HERMES_CLOSE):
                return False
            self._open("", rest.removeprefix(_HERMES_CLOSE), self._in_text)
            return True
        self._held = rest if self.count else self._held
        self._text += self._opened_with
        self._opened_with = ""
        self._state = self._in_text
        return True

    def _in_call(self) -> bool:
        call = self._call
        assert call is not None, "this is a bug: no call is being read"  # noqa: S101
        known = call.name
        self._held = call.read(self._held)
        if call.name is not None and known is None:
            self._begun(call.name)
        if piece := call.take_arguments():
            self._deltas.append(ToolCallDelta(self.count - 1, None, piece))
        if call.ended:
            self._end_call(call)
        return call.ended

    def _end_call(self, call: CallReader) -> None:
        self._call = None
        if call.name is None:
            self._text += self._opened_with + call.raw
            self._state = self._in_text
        else:
            self.whole += 1
            self._state = self._in_list
        self._opened_with = ""


def _length_of_beginning(text: str, mark: str) -> int:
    """How many characters at the end of ``text`` may be the beginning of ``mark``."""
    for length in range(min(len(mark) - 1, len(text)), 0, -1):
        if mark.startswith(text[-length:]):
            return length
    return 0
