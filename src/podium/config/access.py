"""Who may call."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field

from podium.config.frozen import Group


class Access(Group):
    """Authentication policy of the traffic port."""

    anonymous: Literal["loopback", "never", "everywhere"] = Field(
        "loopback",
        description="Where requests without a key are served. `loopback`: only while the server listens on a "
        "loopback address; on any other it refuses to start.",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host`` (an address, or a name: ``localhost`` alone is trusted)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
