"""The rule that every configuration group shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """A frozen group of settings; a key that is not declared stops the program."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
