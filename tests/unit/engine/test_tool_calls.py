"""Calls of tools, parsed out of what models write, however the text is cut into pieces."""

from __future__ import annotations

import itertools
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.core.errors import UnsupportedParameter
from podium.core.generation import ChatPrompt, Message, ToolChoice
from podium.engine.tool_calls.format import ToolFormat, format_of
from podium.engine.tool_calls.grammar import call_constraint
from podium.engine.tool_calls.parser import ToolCallParser
from podium.engine.tool_calls.use import tool_use, with_known_ids

NAMES = frozenset({"weather", "clock"})
OSLO = '{"city": "Os\\"lo {", "days": [1, {"a": 2}]}'
Call = tuple[str, str]


def parsed(
    kind: ToolFormat, text: str, cuts: list[int] | None = None, *, forced: bool = False
) -> tuple[str, list[Call]]:
    """The text and the calls in ``text``, pushed in pieces that end at ``cuts`` (each character alone: None)."""
    parser = ToolCallParser(kind, NAMES, forced=forced, single=False)
    edges = range(len(text) + 1) if cuts is None else [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    said = ""
    calls: dict[int, list[str]] = {}
    for piece in [*pieces, None]:
        more, deltas = parser.push(piece or "", last=piece is None)
        said += more
        for delta in deltas:
            if delta.name is not None:
                assert delta.index not in calls, "a name comes once"
                calls[delta.index] = [delta.name, ""]
            calls[delta.index][1] += delta.arguments
    assert list(calls) == list(range(len(calls)))
    return said, [(name, arguments) for name, arguments in calls.values()]


CASES: dict[str, tuple[ToolFormat, str, str, list[Call]]] = {
    "one": (
        "hermes",
        f'<tool_call>\n{{"name": "weather", "arguments": {OSLO}}}\n</tool_call>',
        "",
        [("weather", OSLO)],
    ),
    "text before and two calls": (
        "hermes",
        (
            'Let me see.\n<tool_call>\n{"name": "weather", "arguments": {}}\n</tool_call>\n'
            '<tool_call>\n{"arguments": {"zone": "UTC"}, "name": "clock"}\n</tool_call>'
        ),
        "Let me see.",
        [("weather", "{}"), ("clock", '{"zone": "UTC"}')],
    ),
    "an end mark that is missing": (
        "hermes",
        '<tool_call>{"name": "clock", "arguments": {}}<tool_call>{"name": "clock", "arguments": {}}',
        "",
        [("clock", "{}"), ("clock", "{}")],
    ),
    "no arguments": ("hermes", '<tool_call>{"name": "clock"}</tool_call>', "", [("clock", "{}")]),
    "arguments in a string": (
        "hermes",
        '<tool_call>{"name": "clock", "arguments": "{\\"a\\": 1}"}</tool_call>',
        "",
        [("clock", '{"a": 1}')],
    ),
    "a tool that nobody offered": (
        "hermes",
        'So <tool_call>{"name": "rm", "arguments": {}}</tool_call> it is',
        'So <tool_call>{"name": "rm", "arguments": {}}</tool_call> it is',
        [],
    ),
    "a mark without a call": ("hermes", "write <tool_call> so", "write <tool_call> so", []),
    "plain text": ("hermes", "It is <b>warm</b> {today}. \n", "It is <b>warm</b> {today}. \n", []),
    "a call that is cut": ("hermes", '<tool_call>{"name": "clock", "argum', "", [("clock", "")]),
    "a name that is cut": ("hermes", '<tool_call>{"name": "clo', '<tool_call>{"name": "clo', []),
    "llama": ("llama3", f'{{"name": "weather", "parameters": {OSLO}}}', "", [("weather", OSLO)]),
    "llama, several": (
        "llama3",
        '<|python_tag|>{"name": "clock", "parameters": {}}; {"name": "weather", "parameters": {"a": 1}}',
        "",
        [("clock", "{}"), ("weather", '{"a": 1}')],
    ),
    "llama, JSON that is no call": ("llama3", '{"answer": {"name": "clock"}}', '{"answer": {"name": "clock"}}', []),
    "llama, text": ("llama3", 'Say {"name": "clock", "parameters": {}}', 'Say {"name": "clock", "parameters": {}}', []),
    "mistral, a list": (
        "mistral",
        '[TOOL_CALLS] [{"name": "clock", "arguments": {"a": 1}}, {"name": "weather", "arguments": {}}]',
        "",
        [("clock", '{"a": 1}'), ("weather", "{}")],
    ),
    "mistral, names": (
        "mistral",
        'Wait.[TOOL_CALLS]clock[ARGS]{"a": {"b": 1}}[TOOL_CALLS]weather[CALL_ID]123456789[ARGS]{}',
        "Wait.",
        [("clock", '{"a": {"b": 1}}'), ("weather", "{}")],
    ),
    "mistral, a name that nobody offered": ("mistral", "[TOOL_CALLS]rm[ARGS]{}", "[TOOL_CALLS]rm[ARGS]{}", []),
}


@pytest.mark.parametrize("case", CASES)
def test_calls_and_text_are_told_apart(case: str) -> None:
    kind, text, said, calls = CASES[case]
    assert parsed(kind, text, []) == (said, calls)
    assert parsed(kind, text) == (said, calls)


@given(st.sampled_from(sorted(CASES)), st.data())
def test_where_the_text_is_cut_makes_no_difference(case: str, data: st.DataObject) -> None:
    kind, text, _, _ = CASES[case]
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    assert parsed(kind, text, cuts) == parsed(kind, text, [])


@given(
    st.text(alphabet='<tool_call>/{}[]":,\\ name"args\n', max_size=60), st.sampled_from(["hermes", "llama3", "mistral"])
)
def test_no_text_breaks_the_parser_and_none_is_lost_without_a_call(text: str, kind: ToolFormat) -> None:
    said, calls = parsed(kind, text)
    assert parsed(kind, text, []) == (said, calls)
    if not calls:
        assert said == text


@pytest.mark.parametrize("kind", ["hermes", "llama3", "mistral"])
def test_a_forced_answer_is_a_list_whatever_the_format(kind: ToolFormat) -> None:
    member = "parameters" if kind == "llama3" else "arguments"
    text = f'[ {{"name": "clock", "{member}": {{}}}},\n {{"name": "weather", "{member}": {{"a": 1}}}}]'
    assert parsed(kind, text, forced=True) == ("", [("clock", "{}"), ("weather", '{"a": 1}')])


def test_arguments_come_as_they_are_written() -> None:
    parser = ToolCallParser("hermes", NAMES, forced=False, single=False)
    parser.push('<tool_call>{"name": "clock", "arguments": {"zone"')
    text, deltas = parser.push(': "U')
    assert (text, [delta.arguments for delta in deltas]) == ("", [': "U'])


def test_one_call_may_be_enough() -> None:
    parser = ToolCallParser("hermes", NAMES, forced=False, single=True)
    parser.push('<tool_call>{"name": "clock", "arguments": {}')
    assert not parser.enough
    parser.push("}")
    assert parser.enough


TEMPLATES: dict[str, tuple[str, ToolFormat | None]] = {
    "Qwen, Hermes": ("{% if tools %}{{ tools | tojson }} <tool_call>{% endif %}", "hermes"),
    "Llama 3": ('<|start_header_id|>{% if tools %}{"name": …, "parameters": …}{% endif %}', "llama3"),
    "Mistral": ("{% if tools %}[AVAILABLE_TOOLS]{% endif %}[TOOL_CALLS]", "mistral"),
    "Qwen Coder, whose calls are no JSON": ("{% if tools %}<tool_call><function=x>{% endif %}", None),
    "one that shows no tools": ("{{ messages }} <tool_call>", None),
    "one of unknown kind": ("{{ tools }}", None),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_tells_the_format(name: str) -> None:
    template, kind = TEMPLATES[name]
    assert format_of(template) == kind


def tool(name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **({"parameters": parameters} if parameters else {})}}


NESTED = {
    "type": "object",
    "properties": {"place": {"$ref": "#/$defs/Place"}},
    "required": ["place"],
    "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}


def schema(choice: ToolChoice, kind: ToolFormat = "hermes") -> dict[str, Any]:
    prompt = ChatPrompt((Message("user", "?"),), (tool("weather", NESTED), tool("clock")), tool_choice=choice)
    found: dict[str, Any] = json.loads(call_constraint(prompt, kind).source)
    return found


def allows(grammar: dict[str, Any], *calls: tuple[str, dict[str, Any]], member: str = "arguments") -> bool:
    written = [{"name": name, member: arguments} for name, arguments in calls]
    return bool(jsonschema.Draft202012Validator(grammar).is_valid(written))


def test_a_forced_call_is_of_a_tool_that_was_offered_and_has_the_arguments_it_takes() -> None:
    grammar = schema(ToolChoice(required=True))
    good = ("weather", {"place": {"city": "Oslo"}})
    assert allows(grammar, good)
    assert allows(grammar, good, ("clock", {"anything": 1}))
    assert not allows(grammar)
    assert not allows(grammar, ("weather", {"place": {}}))
    assert not allows(grammar, ("rm", {}))
    assert allows(schema(ToolChoice(required=True), "llama3"), good, member="parameters")


def test_a_named_tool_is_called_and_only_once() -> None:
    grammar = schema(ToolChoice(name="clock"))
    assert allows(grammar, ("clock", {}))
    assert not allows(grammar, ("clock", {}), ("clock", {}))
    assert not allows(grammar, ("weather", {"place": {"city": "Oslo"}}))
    alone = schema(ToolChoice(required=True, parallel=False))
    assert not allows(alone, ("clock", {}), ("clock", {}))


def test_tools_are_refused_where_the_template_teaches_no_format() -> None:
    prompt = ChatPrompt((Message("user", "?"),), (tool("clock"),))
    with pytest.raises(UnsupportedParameter, match="chat template") as caught:
        tool_use(prompt, None)
    assert caught.value.param == "tools"


def test_ids_of_calls_are_made_such_that_mistral_s_templates_take_them() -> None:
    call = {"id": "call-0123456789", "type": "function", "function": {"name": "clock", "arguments": {}}}
    turns = (
        Message("assistant", None, extra={"tool_calls": [call]}),
        Message("tool", "12", extra={"tool_call_id": call["id"]}),
    )
    asked, answered = with_known_ids(turns, "mistral")
    given = asked.extra["tool_calls"][0]["id"]
    assert len(given) == 9
    assert given.isalnum()
    assert answered.extra["tool_call_id"] == given
    assert with_known_ids(turns, "hermes") == turns
