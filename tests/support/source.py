"""The product's own source, parsed, for tests of how it is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "podium"


@dataclass(frozen=True)
class Source:
    """One Python file: where it is, its lines, its syntax tree."""

    path: Path
    lines: tuple[str, ...]
    tree: ast.Module

    @classmethod
    def parse(cls, text: str, path: Path = Path("planted.py")) -> Source:
        """A source from text; ``path`` is relative to the package."""
        return cls(path, tuple(text.splitlines()), ast.parse(text))

    def at(self, node: ast.AST) -> str:
        """Where a node stands, as ``file:line``."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call with its dotted name; parts that are no plain names read ``?``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node, dotted(node.func)

    def imports(self) -> Iterator[tuple[ast.AST, str]]:
        """Every imported module or name, in full: ``import a.b`` and ``from a import b`` both give ``a.b``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def package_sources() -> list[Source]:
    """Every file of the package, paths relative to ``src/podium``."""
    files = sorted(PACKAGE.rglob("*.py"))
    return [Source.parse(file.read_text(encoding="utf-8"), file.relative_to(PACKAGE)) for file in files]


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of an attribute chain."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "?"
