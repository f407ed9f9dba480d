"""The models that this server may serve."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from podium.config.engine import AutoEngine, Engine
from podium.config.frozen import Group
from podium.core.one_shot import Task

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}\Z")


class Embedding(Group):
    """How a model of the task `embed` makes vectors."""

    pooling: Literal["auto", "mean", "cls", "last"] = Field(
        "auto",
        description="How token vectors become one. `auto`: what 1_Pooling of the checkpoint says, else `mean`.",
    )
    normalize: bool | None = Field(
        None,
        description="Whether vectors have length 1. None: what the checkpoint's modules.json says, else true.",
    )
    truncatable: bool = Field(
        False,
        description="Whether requests may ask for fewer `dimensions` (models trained for that: Matryoshka). The first "
        "numbers are taken and brought to length 1.",
    )


class Text2Text(Group):
    """How a model of the task `text2text_generation` writes."""

    preset: str | None = Field(
        None,
        description="Name of one of the checkpoint's `task_specific_params` (T5: `summarization`, "
        "`translation_en_to_de`, …), whose prefix and bounds then hold for every request. None: the text as it comes.",
    )
    prefix: str | None = Field(
        None, description="Put before every prompt that is text, such as `summarize: `. None: the preset's, if any."
    )
    forced_bos_token: str | None = Field(
        None,
        description="Token that every answer begins with: the target language of a multilingual model, such as "
        "`de_DE`. None: what the checkpoint's generation_config.json says.",
    )


class Batching(Group):
    """How requests to a one-shot model share a pass of the model."""

    max_inputs: int = Field(32, ge=1, le=4096, description="Most inputs in one batch.")
    max_tokens: int = Field(8192, ge=16, description="Most tokens in one batch, padding included.")
    delay_seconds: float = Field(
        0.002, ge=0, le=1, description="How long the first input of a batch waits for others; 0 takes what is there."
    )


class Model(Group):
    """One version of one model."""

    name: str = Field(description="Name in requests: letters, digits, `.`, `_`, `-`, `/`.")
    source: str = Field(
        description="Folder (safetensors or OpenVINO IR), hub id or `builtin:demo`; `none` where there are no weights."
    )
    version: str = Field("1", description="Version label; `name@version` in requests selects it.")
    aliases: tuple[str, ...] = Field((), description="Other names for the same model, unique in the server.")
    task: Literal["auto"] | Task = Field(
        "auto", description="What the model does; `auto` reads its config (and is `generate` where there is none)."
    )
    text2text: Text2Text = Field(Text2Text(), description="For the task `text2text_generation`.")
    embedding: Embedding = Field(Embedding(), description="For the task `embed`.")
    batching: Batching = Field(Batching(), description="For every task but `generate` and `text2text_generation`.")
    engine: Engine = Field(AutoEngine(), description="Engine name, or a mapping with `kind` and its settings.")
    load: Literal["start", "demand", "manual"] = Field(
        "start",
        description="`start`: before the server is ready. `demand`: at the first request. `manual`: by the load route.",
    )
    idle_unload_seconds: float = Field(
        0.0, ge=0, description="Unload after this long without a request; 0 means never."
    )
    max_model_len: int = Field(0, ge=0, description="Context limit in tokens; 0 takes the checkpoint's.")
    chat_template_file: str | None = Field(None, description="Jinja file to use instead of the checkpoint's template.")
    tool_format: Literal["auto", "hermes", "llama3", "mistral", "none"] = Field(
        "auto",
        description="How the model writes calls of tools: `hermes` (also Qwen), `llama3`, `mistral`; `auto` reads its "
        "chat template, `none` refuses tools.",
    )
    trust_remote_code: bool = Field(
        False, description="Run Python code that comes with the checkpoint. Leave off unless you wrote that code."
    )
    python: str | None = Field(
        None, description="Python interpreter for this model's worker (an engine in its own environment); none is ours."
    )
    sha256: dict[str, str] = Field({}, description="Expected SHA-256 by file name; a file that differs is refused.")

    @field_validator("engine", mode="before")
    @classmethod
    def _engine_by_name(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("name", "version")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not _NAME.match(value) or ".." in value:
            msg = "use 1 to 128 letters, digits, '.', '_', '-' or '/', starting with a letter or digit"
            raise ValueError(msg)
        return value


def check_names(models: tuple[Model, ...]) -> None:
    """Raise ``ValueError`` when two of the models of one server could be meant by the same name."""
    versions = [(model.name, model.version) for model in models]
    for name, version in versions:
        if versions.count((name, version)) > 1:
            raise ValueError(f"model {name!r} version {version!r} is listed twice")
    aliases = [alias for model in models for alias in model.aliases]
    for alias in aliases:
        if aliases.count(alias) > 1:
            raise ValueError(f"alias {alias!r} is used twice")
    for name, _ in versions:
        if name in aliases:
            raise ValueError(f"{name!r} is both a model and an alias")


def names_of(models: tuple[Model, ...]) -> dict[str, str]:
    """The models' own names by every name that requests can use for them."""
    return {alias: model.name for model in models for alias in (model.name, *model.aliases)}
