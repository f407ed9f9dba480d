"""A YAML text as values, with the line of every value, and no key given twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]

_MOST_NODES = 100_000  # aliases repeat nodes; a text that unfolds to more than this is a mistake
_MOST_LEVELS = 32


@dataclass(frozen=True)
class Document:
    """The values of a YAML text, the first line of each by path, and what is wrong with the text."""

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_document(text: str, name: str) -> Document:
    """Parse ``text`` with safe YAML. ``name`` stands in messages; nothing is raised for a bad text."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(None)
        walk = _Walk(name)
        walk.visit(node, ())
        value = None if walk.problems else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return Document(None, problems=[f"{name}:{line}: not YAML: {error.problem or error.context}"])
    except yaml.YAMLError as error:
        return Document(None, problems=[f"{name}: not YAML: {' '.join(str(error).split())}"])
    finally:
        loader.dispose()
    return Document(value, walk.lines, walk.problems)


class _Walk:
    """Collects lines and repeated keys of a node tree."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Path, int] = {}
        self.problems: list[str] = []
        self._visited = 0

    def visit(self, node: yaml.Node, path: Path) -> None:
        self._visited += 1
        if self._visited > _MOST_NODES or len(path) > _MOST_LEVELS:
            raise yaml.YAMLError(f"more than {_MOST_NODES} values or {_MOST_LEVELS} levels; an alias repeats itself")
        self.lines.setdefault(path, node.start_mark.line + 1)
        for key, line, child in self._children(node, path):
            self.lines[*path, key] = line
            self.visit(child, (*path, key))

    def _children(self, node: yaml.Node, path: Path) -> Iterator[tuple[str | int, int, yaml.Node]]:
        if isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                yield index, child.start_mark.line + 1, child
        elif isinstance(node, yaml.MappingNode):
            yield from self._members(node, path)

    def _members(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, int, yaml.Node]]:
        first: dict[str, int] = {}
        for key_node, child in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(f"{self.name}:{line}: a key is one word; write a quoted text")
                continue
            key = key_node.value
            if key in first:
                full = ".".join(str(part) for part in (*path, key))
                self.problems.append(f"{self.name}:{line}: {full} is given twice, first in line {first[key]}; keep one")
                continue
            first[key] = line
            yield key, line, child
