"""What is written to the log, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from podium.config.frozen import Group


class Logs(Group):
    """Format and level of the log on standard error."""

    format: Literal["auto", "human", "json"] = Field("auto", description="`auto`: human on a terminal, JSON elsewhere.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level written.")
