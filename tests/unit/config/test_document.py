from __future__ import annotations

from podium.config.document import read_document


def test_every_value_knows_its_line() -> None:
    document = read_document("server:\n  port: 1\nmodels:\n  - name: a\n    source: b\n", "x.yaml")
    assert document.value == {"server": {"port": 1}, "models": [{"name": "a", "source": "b"}]}
    assert document.lines["server", "port"] == 2
    assert document.lines["models", 0, "source"] == 5
    assert document.problems == []


def test_a_key_given_twice_is_named_with_both_lines() -> None:
    document = read_document("server:\n  port: 1\n  host: a\n  port: 2\n", "x.yaml")
    assert document.problems == ["x.yaml:4: server.port is given twice, first in line 2; keep one"]
    assert document.value is None


def test_a_text_that_is_not_yaml_is_named_with_its_line() -> None:
    (problem,) = read_document("server:\n  port: [1\n", "x.yaml").problems
    assert problem.startswith("x.yaml:3: not YAML:")


def test_an_empty_text_is_no_mistake() -> None:
    assert read_document("# nothing\n", "x.yaml").problems == []


def test_no_tag_can_make_an_object() -> None:
    (problem,) = read_document("a: !!python/object/apply:os.getcwd []\n", "x.yaml").problems
    assert "could not determine a constructor" in problem


def test_aliases_that_unfold_without_end_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (problem,) = read_document("\n".join(lines), "x.yaml").problems
    assert "repeats itself" in problem


def test_an_alias_to_itself_is_refused() -> None:
    (problem,) = read_document("a: &a [*a]\n", "x.yaml").problems
    assert "repeats itself" in problem


def test_a_key_that_is_no_word_is_refused() -> None:
    (problem,) = read_document("? [1, 2]\n: 3\n", "x.yaml").problems
    assert problem.startswith("x.yaml:1: a key is one word")
