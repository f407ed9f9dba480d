"""``python system_calls.py UNIT COMMAND…``: run a command under the system-call filter of a unit, as systemd would.

Sets of calls are those of this machine's systemd; the filter is made by libseccomp, which systemd uses too.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

LIBRARY = "libseccomp.so.2"
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000


def allowed_calls(unit: str) -> set[str]:
    """Names that the lines ``SystemCallFilter=`` allow, in their order: the first lists, ``~`` takes away again."""
    sets = _sets()
    found: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.+)$", unit, re.MULTILINE):
        names = _expanded(line.removeprefix("~").split(), sets)
        found = found - names if line.startswith("~") else found | names
    return found


def _sets() -> dict[str, list[str]]:
    """Members of every set: calls, and further sets."""
    text = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    found: dict[str, list[str]] = {}
    members: list[str] = []
    for line in text.splitlines():
        if line.startswith("@"):
            members = found.setdefault(line.strip(), [])
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.append(line.strip())
    return found


def _expanded(names: list[str], sets: dict[str, list[str]]) -> set[str]:
    found: set[str] = set()
    for name in names:
        found |= _expanded(sets[name], sets) if name.startswith("@") else {name}
    return found


def _enter(names: set[str]) -> None:
    """From here on every other call fails with EPERM, in this process and in all that it starts."""
    library = ctypes.CDLL(LIBRARY, use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    filtered = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ERRNO | errno.EPERM)))
    for name in sorted(names):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # the others are no calls of this architecture
            library.seccomp_rule_add(filtered, ctypes.c_uint32(_ALLOW), number, 0)
    if library.seccomp_load(filtered):
        raise OSError("the filter could not be loaded")


if __name__ == "__main__":
    _enter(allowed_calls(Path(sys.argv[1]).read_text("utf-8")))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the test's own words
