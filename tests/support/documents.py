"""Markdown documents of the repository: their code blocks and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.source import ROOT

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_MARK = re.compile(r"<!-- (?P<mark>[a-z-]+(?:: [^>]*)?) -->\s*\Z")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced code block. ``mark`` is the HTML comment right above it (``<!-- run -->``), empty if there is none."""

    path: Path
    line: int
    language: str
    body: str
    mark: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"

    def commands(self) -> list[tuple[str, str]]:
        """A console block as (command, expected output): lines after ``$ ``, and what follows them."""
        found: list[tuple[str, str]] = []
        for line in self.body.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            elif found:
                command, output = found[-1]
                found[-1] = (command, f"{output}{line}\n")
        return found


def documents() -> list[Path]:
    """Every Markdown file that people read, relative to the repository."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("requirements/*.md")]
    return sorted(path.relative_to(ROOT) for path in found)


def blocks(path: Path, text: str | None = None) -> Iterator[Block]:
    """The code blocks of a document, in order."""
    text = (ROOT / path).read_text(encoding="utf-8") if text is None else text
    for match in _FENCE.finditer(text):
        above = _MARK.search(text[: match.start()])
        line = text.count("\n", 0, match.start()) + 1
        indent = len(match["indent"])
        body = "".join(row[indent:] for row in match["body"].splitlines(keepends=True))
        yield Block(path, line, match["language"], body, above["mark"] if above else "")


def links(path: Path) -> Iterator[str]:
    """The targets of a document's links, code blocks left out."""
    text = _FENCE.sub("", (ROOT / path).read_text(encoding="utf-8"))
    for match in _LINK.finditer(text):
        yield match["target"]
