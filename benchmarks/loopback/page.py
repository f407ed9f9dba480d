"""A page that is rendered from a raw file, and nothing that is not in it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.serving.raw_file import read_raw

REPOSITORY = Path(__file__).resolve().parents[2]
RAW = REPOSITORY / "docs" / "benchmarks" / "raw"

LINE = 120

Record = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A line of a table; ``met`` None: there is no bar."""

    what: str
    measured: str
    bar: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Section:
    """A row: what is measured, in words, and its figures out of its records.

    ``all_runs``: of every run that measured it, not of the last one alone.
    """

    row: str
    title: str
    words: str
    figures: Callable[[list[Record]], list[Figure]]
    all_runs: bool = False


def none(what: str, count: int) -> Figure:
    """Something of which there should be nothing."""
    return Figure(what, f"{count:,}", "0", count == 0)


@dataclass(frozen=True)
class Page:
    """A benchmark's page: ``package`` is the program that writes it to ``path``."""

    package: str
    path: Path
    introduction: str
    sections: tuple[Section, ...]

    def write(self, raw: Path) -> None:
        """Render ``raw`` into the page."""
        self.path.write_text(self.render(read_raw(raw), raw.name), encoding="utf-8")

    def check(self, page: Path) -> None:
        """Exit with 1 unless ``page`` is exactly what the raw file that it names gives."""
        text = page.read_text(encoding="utf-8")
        named = re.search(r"\(raw/([^)]+\.jsonl)\)", text)
        if named is None:
            raise SystemExit(f"{page} names no raw file")
        raw = page.parent / "raw" / named[1]
        if self.render(read_raw(raw), raw.name) != text:
            raise SystemExit(f"{page} differs from its raw file: python -m {self.package}.render {raw}")

    def render(self, records: list[Record], raw_name: str) -> str:
        """The page's text. A row that was measured more than once is shown as measured last, unless all runs count."""
        runs = _runs(records)
        shown = {section.row: _shown(runs, section) for section in self.sections}
        parts = [self.introduction, _circumstances(runs, raw_name)]
        parts += [self._section(section, found) for section in self.sections if (found := shown[section.row])]
        missing = [f"`{row}`" for row, found in shown.items() if not found]
        if missing:
            parts.append(f"## Not measured\n\n{', '.join(missing)}\n")
        return "\n".join([*parts, *_failures(runs, shown)])

    def _section(self, section: Section, runs: list[_Run]) -> str:
        records = [record for run in runs for record in run.of(section.row)]
        commits = ", ".join(f"`{run.header['commit']}`" for run in runs)
        how = f"`python -m {self.package} --only {section.row}`, {'commits' if runs[1:] else 'commit'} {commits}"
        if any(record["quick"] for record in records):
            how += ", **with `--quick`: a check of the harness, not a measurement**"
        if not all(record["before"]["quiet"] for record in records):
            how += "; the machine was not idle when it began"
        parts = (
            f"## {section.title}",
            textwrap.fill(section.words, LINE),
            textwrap.fill(f"{how}.", LINE, break_on_hyphens=False),
            _table(section.figures(records)),
        )
        return "\n\n".join(parts) + _peer(records)


class _Run(NamedTuple):
    """One call of the benchmark: its header and what it measured."""

    header: dict[str, Any]
    records: list[Record]

    def of(self, row: str) -> list[Record]:
        return [record for record in self.records if record["kind"] == row]


def _runs(records: list[Record]) -> list[_Run]:
    runs: list[_Run] = []
    for record in records:
        if record["kind"] == "header":
            runs.append(_Run(record, []))
        else:
            runs[-1].records.append(record)
    return runs


def _shown(runs: list[_Run], section: Section) -> list[_Run]:
    """The runs whose records are shown, oldest first."""
    found = [run for run in runs if run.of(section.row)]
    return found if section.all_runs else found[-1:]


def _circumstances(runs: list[_Run], raw_name: str) -> str:
    header = runs[-1].header
    machine = header["machine"]
    lines = [
        f"- machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB",
        f"- system: kernel {machine['kernel']}, Python {machine['python']}",
        f"- versions: {', '.join(f'{name} {version}' for name, version in header['versions'].items())}",
        *(f"- {run.header['date']}, commit `{run.header['commit']}`: `{run.header['command']}`" for run in runs),
        f"- raw data: [raw/{raw_name}](raw/{raw_name})",
    ]
    return "## Circumstances\n\n" + "\n".join(lines) + "\n"


def _peer(records: list[Record]) -> str:
    """Versions of another program that took part."""
    parameters = records[-1].get("parameters", {})
    if "litellm" not in parameters:
        return ""
    named = ", ".join(f"{name} {version}" for name, version in parameters["litellm"].items())
    return f"\n{parameters['wrk']}; LiteLLM's environment: {named}. Its settings are in the raw file.\n"


def _table(figures: list[Figure]) -> str:
    verdict = {True: "yes", False: "**no**", None: ""}
    lines = ["| what | measured | bar | met |", "|---|---|---|---|"]
    lines += [f"| {one.what} | {one.measured} | {one.bar} | {verdict[one.met]} |" for one in figures]
    return "\n".join(lines) + "\n"


def _failures(runs: list[_Run], shown: dict[str, list[_Run]]) -> list[str]:
    """Rows that ended with an error and were not measured in a later run."""
    lines = [
        f"- {record['row']}: {record['error'].splitlines()[-1][:200]}"
        for number, run in enumerate(runs)
        for record in run.of("failure")
        if not any(other is found for other in runs[number + 1 :] for found in shown[record["row"]])
    ]
    return ["## Failures\n\n" + "\n".join(lines) + "\n"] if lines else []
