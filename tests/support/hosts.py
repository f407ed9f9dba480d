"""Machines of a test's own: network namespaces on one bridge, each with an address, so that all may use one port.

Linux, as root, with permission to make network namespaces.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Hosts:
    """``outside`` is the address of the test itself; ``inside`` are those of the machines, by namespace."""

    outside: str
    inside: dict[str, str]

    def enter(self, address: str) -> list[str]:
        """Words that run a program on the machine with that address; it keeps its process id."""
        name = next(name for name, own in self.inside.items() if own == address)
        return ["ip", "netns", "exec", name]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)  # noqa: S607


def _require() -> None:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root on Linux, with iproute2, can make machines of its own")
    probe = f"podium-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False)  # noqa: S607
    if made.returncode:
        pytest.skip("network namespaces cannot be made here")
    _ip("netns", "delete", probe)


@contextmanager
def hosts(count: int) -> Iterator[Hosts]:
    """``count`` machines, gone afterwards."""
    _require()
    number = os.getpid()
    bridge, network = f"pb{number}", f"10.{64 + number // 250 % 64}.{number % 250}"
    names = {f"pn{number}-{each}": f"{network}.{each + 2}" for each in range(count)}
    try:
        _ip("link", "add", bridge, "type", "bridge")
        _ip("address", "add", f"{network}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for each, (name, address) in enumerate(names.items()):
            cable = f"pv{number}.{each}"
            _ip("netns", "add", name)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", cable, "master", bridge, "up")
            _ip("-netns", name, "address", "add", f"{address}/24", "dev", "eth0")
            _ip("-netns", name, "link", "set", "eth0", "up")
            _ip("-netns", name, "link", "set", "lo", "up")
        yield Hosts(f"{network}.1", names)
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)  # noqa: S607
        subprocess.run(["ip", "link", "delete", bridge], capture_output=True, check=False)  # noqa: S607
