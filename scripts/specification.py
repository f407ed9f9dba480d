"""Prints the tests' names as a specification: one heading for each file, one sentence for each test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"


def sentences(tree: ast.Module) -> Iterator[str]:
    """One sentence for each test function, classes as prefixes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            documented = (ast.get_docstring(node) or "").split("\n\n")[0]
            yield " ".join(documented.split()) or node.name.removeprefix("test_").replace("_", " ")


def main() -> None:
    """Print every test file that holds tests."""
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found = list(sentences(tree))
        if not found:
            continue
        print(f"\n{file.relative_to(TESTS).with_suffix('')}")
        about = " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())
        print(*([f"  {about}"] if about else []), *(f"  - {sentence}" for sentence in found), sep="\n")


if __name__ == "__main__":
    main()
