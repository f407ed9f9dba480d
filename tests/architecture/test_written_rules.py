"""Rules about the source that no linter knows. Each rule is also shown a planted offence that it must catch."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from support.source import Source, dotted, package_sources

Rule = Callable[[Source], list[str]]

MOST_FUNCTION_LINES = 80
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
UNSAFE_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
UNSAFE_CALLS = {"eval", "exec", "compile", "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system"}
ENVIRONMENT = {"os.environ", "os.getenv", "os.environb", "os.putenv"}
TASKS = Path("aio/tasks.py")
ENVIRONMENT_USERS = {
    Path("config/sources.py"): "the one place that reads it for us",
    Path("engine/adapters/vllm_environment.py"): "vLLM has no other switches; only in the worker that it configures",
}
# Where everything may be caught, and the boundary that stands there.
BROAD_EXCEPTS = {
    Path("api/middleware/error_funnel.py"): "request, before its first byte",
    Path("api/streaming.py"): "request, after its first byte",
    Path("batches/runner.py"): "task group, one batch in it",
    Path("cli/main.py"): "command line",
    Path("engine/adapters/stepped_loop.py"): "request, in a worker",
    Path("engine/intake.py"): "request, in a worker, before the engine",
    Path("engine/stepping.py"): "request, in a worker, at the engine",
}
PRINTER = Path("cli/output.py")
PUBLIC = Path("client/__init__.py")


def packages_that_hold_code(source: Source) -> list[str]:
    """An ``__init__.py`` is a docstring and nothing else; the public package's names its public names too."""
    if source.path.name != "__init__.py":
        return []
    body = source.tree.body
    if source.path == PUBLIC:
        body = [node for node in body if not isinstance(node, ast.ImportFrom | ast.Assign)]
    documented = len(body) == 1 and ast.get_docstring(source.tree)
    return [] if documented else [f"{source.path}: an __init__.py holds a docstring and no code"]


def vague_file_names(source: Source) -> list[str]:
    """A file is named by its noun."""
    return [f"{source.path}: name it by what it is" for part in source.path.parts if Path(part).stem in VAGUE_NAMES]


def long_functions(source: Source) -> list[str]:
    """No function is longer than a page."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_FUNCTION_LINES:
                found.append(f"{source.at(node)}: {node.name} has {lines} lines")
    return found


def unexplained_broad_excepts(source: Source) -> list[str]:
    """A broad except has a comment on its line or on the line after, unless it re-raises."""
    return [
        f"{source.at(handler)}: a broad except without a reason"
        for handler in broad_excepts(source)
        if not any("#" in line for line in source.lines[handler.lineno - 1 : handler.lineno + 1])
    ]


def broad_excepts(source: Source) -> list[ast.ExceptHandler]:
    """Handlers of everything that go on; those that end by raising (clean-up, translation) are not counted."""
    handlers = [node for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler)]
    return [handler for handler in handlers if _is_broad(handler) and not _ends_by_raising(handler)]


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(dotted(kind) in {"Exception", "BaseException"} for kind in kinds)


def _ends_by_raising(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and (last.exc is None or last.cause is not None)


def ownerless_tasks(source: Source) -> list[str]:
    """A task has a name, and an owner: a task group, or whoever keeps what an event loop returned."""
    if source.path == TASKS:
        return []
    dropped = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)}
    found = []
    for call, name in source.calls():
        owner, _, method = name.rpartition(".")
        if method not in {"create_task", "ensure_future"}:
            continue
        named = any(keyword.arg == "name" for keyword in call.keywords)
        is_loop = "loop" in owner or owner.endswith("?")
        if owner == "asyncio" or not named or (is_loop and id(call) in dropped):
            found.append(f"{source.at(call)}: {name} without owner or name")
    return found


def unsafe_code(source: Source) -> list[str]:
    """Nothing that turns bytes into code is reachable."""
    imported = [
        (node, name) for node, name in source.imports() if UNSAFE_MODULES & set(name.split(".")) or name in UNSAFE_CALLS
    ]
    called = [(node, name) for node, name in source.calls() if name in UNSAFE_CALLS]
    return [f"{source.at(node)}: {name}" for node, name in imported + called]


def environment_readers(source: Source) -> list[str]:
    """Only a few named files touch the environment."""
    if source.path in ENVIRONMENT_USERS:
        return []
    used = [node for node in ast.walk(source.tree) if isinstance(node, ast.Attribute) and dotted(node) in ENVIRONMENT]
    imported = [node for node, name in source.imports() if name in ENVIRONMENT]
    return [f"{source.at(node)}: uses the environment" for node in [*used, *imported]]


def printers(source: Source) -> list[str]:
    """Only ``cli/output.py`` prints."""
    if source.path == PRINTER:
        return []
    return [f"{source.at(call)}: prints" for call, name in source.calls() if name in {"print", "typer.echo"}]


OFFENCES: list[tuple[Rule, str, str]] = [
    (packages_that_hold_code, "core/__init__.py", '"""Doc."""\nfrom podium import core\n'),
    (packages_that_hold_code, "core/__init__.py", ""),
    (packages_that_hold_code, "client/__init__.py", '"""Doc."""\nprint()\n'),
    (vague_file_names, "core/utils.py", ""),
    (vague_file_names, "helpers/text.py", ""),
    (long_functions, "a.py", "def f():\n" + "    x = 1\n" * MOST_FUNCTION_LINES),
    (unexplained_broad_excepts, "a.py", "try:\n    f()\nexcept Exception:\n    pass\n"),
    (unexplained_broad_excepts, "a.py", "try:\n    f()\nexcept (ValueError, BaseException):\n    pass\n"),
    (unexplained_broad_excepts, "a.py", "try:\n    f()\nexcept:\n    pass\n"),
    (ownerless_tasks, "a.py", "asyncio.create_task(f(), name='x')"),
    (ownerless_tasks, "a.py", "asyncio.get_running_loop().create_task(f(), name='x')"),
    (ownerless_tasks, "a.py", "self.loop.create_task(f(), name='x')"),
    (ownerless_tasks, "a.py", "task = self.loop.create_task(f())"),
    (ownerless_tasks, "a.py", "group.create_task(f())"),
    (unsafe_code, "a.py", "import pickle"),
    (unsafe_code, "a.py", "from marshal import loads"),
    (unsafe_code, "a.py", "from torch import load"),
    (unsafe_code, "a.py", "torch.load('x', weights_only=True)"),
    (unsafe_code, "a.py", "eval('1')"),
    (unsafe_code, "a.py", "yaml.load(text, Loader=yaml.Loader)"),
    (environment_readers, "a.py", "os.environ['X']"),
    (environment_readers, "a.py", "from os import environ"),
    (printers, "a.py", "print('x')"),
]
RULES = list(dict.fromkeys(rule for rule, _, _ in OFFENCES))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    assert [offence for source in package_sources() for offence in rule(source)] == []


@pytest.mark.parametrize(("rule", "path", "text"), OFFENCES)
def test_the_rule_catches_a_planted_offence(rule: Rule, path: str, text: str) -> None:
    assert rule(Source.parse(text, Path(path)))


@pytest.mark.parametrize(
    "text", ["group.create_task(f(), name='reader')", "self.task = self.loop.create_task(f(), name='reader')"]
)
def test_a_task_with_name_and_owner_is_no_offence(text: str) -> None:
    assert ownerless_tasks(Source.parse(text)) == []


def test_a_broad_except_that_re_raises_is_no_offence() -> None:
    assert (
        unexplained_broad_excepts(Source.parse("try:\n    f()\nexcept BaseException:\n    undo()\n    raise\n")) == []
    )


def test_a_translated_exception_is_no_offence() -> None:
    source = Source.parse("try:\n    f()\nexcept Exception as error:\n    raise Ours() from error\n")
    assert unexplained_broad_excepts(source) == []


def test_everything_is_caught_only_at_the_named_boundaries_and_once_at_each() -> None:
    found = [source.path for source in package_sources() for _ in broad_excepts(source)]
    assert sorted(found) == sorted(BROAD_EXCEPTS)
