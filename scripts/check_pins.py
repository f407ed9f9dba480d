"""``make check-pins``: every pinned version is on the index, with the hashes of its lock; images are pinned twice.

The index is asked by uv, which resolves each lock anew without dependencies, as `make lock` would. Exit status 1: a pin
does not resolve; 75: the index cannot be reached. Image registries are not asked: there only the shape is looked at.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ("build.lock", "base.lock", "dev.lock", "otel.lock", "hf-models.lock", "hf.constraints", "vllm.lock")
FAILED, UNREACHABLE = 1, 75
_PYTHON = "3.11"
_EVERYWHERE, _LINUX = ("--universal",), ("--python-platform", "x86_64-manylinux_2_31")
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^ ;\\]+)")
_NO_NETWORK = re.compile(r"dns error|error sending request|tcp connect error|timed out|connectivity", re.IGNORECASE)
_IMAGE_LINE = re.compile(r"^FROM (?P<image>\S+)|\"(?P<default>docker\.io/[^\"]+)\"", re.MULTILINE)
_PINNED_IMAGE = re.compile(r"[a-z0-9./_-]+:(?!latest@)[A-Za-z0-9._-]+@sha256:[0-9a-f]{64}\Z")
_IMAGE_FILES = ("deploy/Dockerfile", "deploy/Dockerfile.gpu", "src/podium/config/compose.py")


class Unreachable(Exception):
    """The index did not answer."""


def pins(text: str) -> dict[str, set[str]]:
    """The hashes of each ``name==version`` of a lock."""
    found: dict[str, set[str]] = {}
    current = ""
    for line in text.splitlines():
        if match := _PIN.match(line):
            current = f"{match['name'].lower().replace('_', '-')}=={match['version']}"
            found.setdefault(current, set())
        found.setdefault(current, set()).update(re.findall(r"--hash=(\S+)", line))
    return {pin: hashes for pin, hashes in found.items() if pin}


def resolved(lock: Path) -> str:
    """What uv makes of the lock's versions: the same ones, with the hashes that the index has now.

    Raises ``Unreachable``, and ``ValueError`` with uv's words for a version that is not there.
    """
    platform = _LINUX if lock.name == "vllm.lock" else _EVERYWHERE
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    with tempfile.TemporaryDirectory() as folder:
        out, asked = Path(folder) / "out.txt", Path(folder) / "asked.txt"
        lines = [line.rstrip(" \\") for line in lock.read_text(encoding="utf-8").splitlines() if _PIN.match(line)]
        asked.write_text("\n".join(lines), encoding="utf-8")
        words = ("--quiet", "--no-deps", "--no-header", "--no-annotate", "--generate-hashes", "--no-strip-extras")
        words = (*words, "--python-version", _PYTHON, *platform, "-o", str(out), str(asked))
        done = subprocess.run([str(uv), "pip", "compile", *words], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return out.read_text(encoding="utf-8")
    if _NO_NETWORK.search(done.stderr):
        raise Unreachable(done.stderr.strip())
    raise ValueError(" ".join(done.stderr.split()))


def lock_problems(lock: Path) -> Iterator[str]:
    """What is wrong with the pins of one lock. Raises ``Unreachable``."""
    wanted = pins(lock.read_text(encoding="utf-8"))
    try:
        found = pins(resolved(lock))
    except ValueError as error:
        yield f"{lock.name}: {error}"
        return
    for pin, hashes in wanted.items():
        if pin not in found:
            yield f"{lock.name}: {pin} does not resolve to itself"
        elif hashes and not hashes <= found[pin]:
            yield f"{lock.name}: {pin} has {len(hashes - found[pin])} hashes that are not on the index"


def images(text: str) -> list[str]:
    """The images that an image recipe or the defaults of the settings name."""
    return [match["image"] or match["default"] for match in _IMAGE_LINE.finditer(text)]


def image_problems() -> Iterator[str]:
    """Images without tag or without digest."""
    for name in _IMAGE_FILES:
        found = images((ROOT / name).read_text(encoding="utf-8"))
        if not found:
            yield f"{name}: names no image"
        yield from (f"{name}: {each} is not name:tag@sha256:…" for each in found if not _PINNED_IMAGE.match(each))


def main() -> int:
    """Check all locks, or those that are named; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("locks", nargs="*", type=Path, default=[ROOT / "requirements" / name for name in LOCKS])
    problems = list(image_problems())
    try:
        for lock in parser.parse_args().locks:
            print(f"{lock.name}: {len(pins(lock.read_text(encoding='utf-8')))} pins", flush=True)
            problems += lock_problems(lock)
    except Unreachable as error:
        print(f"error: the package index cannot be reached: {error}", file=sys.stderr)
        return UNREACHABLE
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return FAILED if problems else 0


if __name__ == "__main__":
    sys.exit(main())
