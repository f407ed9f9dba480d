"""Tools in a request, as OpenAI and, after it, Ollama describe them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from podium.protocols.wire import WireModel

MAX_TOOLS = 128
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]


class FunctionDefinition(WireModel):
    """A function that the model may call."""

    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = Field(None, description="JSON schema of the arguments; none takes any object.")
    strict: bool | None = Field(
        None, description="Arguments are held to the schema when `tool_choice` forces the call, and only then."
    )


class FunctionTool(WireModel):
    """A tool. Only functions can be called."""

    type: Literal["function"]
    function: FunctionDefinition


Tools = Annotated[list[FunctionTool], Field(fail_fast=True, max_length=MAX_TOOLS)]


class ChosenFunction(WireModel):
    """The function of a ``tool_choice``."""

    name: ToolName


class NamedToolChoice(WireModel):
    """The function that must be called."""

    type: Literal["function"]
    function: ChosenFunction


ToolChoiceMember = Literal["none", "auto", "required"] | NamedToolChoice


class CalledFunction(WireModel):
    """The function of a call that was made before."""

    name: str = Field(min_length=1, max_length=256)
    arguments: str = Field("", description="A JSON object, as text.")


class ToolCallGiven(WireModel):
    """A call that the model made before, as it was told to the client."""

    id: str = Field(min_length=1, max_length=256)
    type: Literal["function"] = "function"
    function: CalledFunction
