"""Reading what a target answers: its series, or a plain word that it is garbage."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from podium.monitor import exposition
from podium.monitor.exposition import ExpositionReader, Garbage


def by_name(name: str, labels: Mapping[str, str]) -> str | None:
    return f"{name}{sorted(labels.items())}" if name.startswith("wanted") else None


def test_only_series_of_interest_are_told() -> None:
    text = b'# TYPE wanted gauge\nwanted{a="1"} 2.5\nother 3\n\nwanted 4\n'
    assert ExpositionReader(by_name).read(text) == [("wanted[('a', '1')]", 2.5), ("wanted[]", 4.0)]


def test_labels_are_read_as_the_library_writes_them() -> None:
    registry = CollectorRegistry()
    odd = 'quote " brace } comma , backslash \\ line\nend'
    Gauge("wanted", "W.", ["a"], registry=registry).labels(odd).set(3)
    found = dict(ExpositionReader(lambda _, labels: labels.get("a")).read(generate_latest(registry)))
    assert found[odd] == 3.0


def test_a_series_is_parsed_once() -> None:
    asked: list[str] = []
    reader: ExpositionReader[None] = ExpositionReader(lambda name, _: asked.append(name))
    for value in range(3):
        reader.read(f'a{{b="c"}} {value}\n'.encode())
    assert asked == ["a"]


@pytest.mark.parametrize(
    "text",
    [b"", b"# only a comment\n", b"<html>502</html>", b"wanted x\n", b'wanted{a="b} 1\n', b"\xff\xfe 1\n", b"wanted\n"],
)
def test_anything_else_is_garbage(text: bytes) -> None:
    with pytest.raises(Garbage):
        ExpositionReader(by_name).read(text)


def test_a_flood_of_series_is_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "MOST_SERIES", 10)
    with pytest.raises(Garbage, match="series"):
        ExpositionReader(by_name).read(b"".join(f"s{number} 1\n".encode() for number in range(11)))


def test_a_flood_of_bytes_is_garbage() -> None:
    with pytest.raises(Garbage, match="bytes"):
        ExpositionReader(by_name).read(b"#" * (exposition.MOST_BYTES + 1))


def test_a_time_behind_a_value_is_not_taken_for_the_value_and_makes_no_new_series() -> None:
    reader = ExpositionReader(by_name)
    for second in range(3):
        text = f'wanted{{a="x 1"}} {second} 17000000{second}\nwanted 4\n'.encode()
        assert reader.read(text) == [("wanted[('a', 'x 1')]", float(second)), ("wanted[]", 4.0)]
    assert len(reader._known) == 2


def test_a_target_whose_series_come_and_go_stays_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "MOST_SERIES", 10)
    reader = ExpositionReader(by_name)
    for number in range(100):
        assert reader.read(f'wanted 1\ns{{pod="{number}"}} 1\n'.encode()) == [("wanted[]", 1.0)]
    assert len(reader._known) <= 10


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_is_read_or_is_garbage(seed: int) -> None:
    """Nothing that a target says may end the monitor."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    good = b'# HELP a b\nwanted{a="b",c="d\\n"} 1.5e3 17\nother 2\n'
    for _ in range(200):
        text = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            text[chance.randrange(len(text))] = chance.choice(b'{}",=# \n\\\x00\xffaN\t')
        with contextlib.suppress(Garbage):
            ExpositionReader(by_name).read(bytes(text))
