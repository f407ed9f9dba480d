"""Writes the page and its plots from a raw file, and nothing that is not in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rollouts import end_to_end
from benchmarks.rollouts.outcome import acted_share, median_minutes, median_place, standard_error
from benchmarks.rollouts.plots import Records, plots
from benchmarks.serving.raw_file import read_raw

_RULES = ("e-process", "Fisher", "95 %, limit 0", "99 %, threshold 5", "99 %, threshold 10")
_INTRODUCTION = """# Rollout benchmark

Written by `python -m benchmarks.rollouts` from its raw file; do not edit. Simulated traffic, judged by the same
functions that judge real one: Poisson arrivals, the stable version 0.5 % bad, one hour, a look every 5 seconds unless
said otherwise. A cell says in how many of the runs a rule rolled the canary back, and the minute by which half of all
runs were. What the words mean is in [../rollouts.md](../rollouts.md).

- **e-process**: Podium on errors alone, alpha 0.01.
- **Fisher**: one-sided exact test of the totals at each look, p < 0.01, as one writes it by hand.
- **95 %, limit 0**: success rate of the canary each minute, one failed minute is one too many, a minute without data
  fails (the example analysis of Argo Rollouts' documentation).
- **99 %, threshold 5 and 10**: the same with 99 %, rolled back at the 5th or 10th failed minute (Flagger's example).
"""
# What the method's specification expected, to be seen beside what came out.
_EXPECTED = {
    "equal, 10/s, 10 %": "0.7-1.0 % · 8.7 % · 7.2 % · 99.8 % · 96.2 %",
    "equal, 0.5/s, 10 %": "0 · 0 · 98.5 % · 36 % · 1 %",
    "equal, 10 minutes of 10 % bad on both": "0.5 % · 11.3 % · 100 % · 100 % · 100 %",
    "4 times as bad": "8.1 · 4.5 · 98 %, 11 · 7.0 · 14 min",
    "10 times as bad": "1.7 · 1.2 · 2.0 · 5.0 · 10 min",
    "half of answers broken, 5 %": "0.2 · 0.2 · 1.0 · 5.0 · 10 min",
    "10 times as bad, 0.5/s, 10 %": "47-50 % · 94 % · 100 % · 99 % · 72 %",
    "10 times as bad, 0.5/s, 50 %": "97.5 %, 24 min",
    "4 times as bad at 1%": "45 %, 31 min (of those found)",
    "4 times as bad at 5%": "14.5 min",
    "4 times as bad at 10%": "8.3 min",
    "4 times as bad at 25%": "4.3 min",
    "4 times as bad at 50%": "3.2 min",
    "equal, 2/s, 10 %, 12 hours": "0 of 150",
    "equal, may grow 2 points": "645 requests, 11 min",
    "equal, may grow 1 point": "2,040 requests, 34 min",
    "equal, may grow 1 point, at 50 %": "10.7 min",
    "worse by exactly what is allowed": "0 of 200",
    "equal": "0.8 %",
    "10 % slower": "97.5 %, 16 min",
    "30 % slower": "1.8 min",
    "twice as slow": "0.3 min",
    "3 % of requests 5 s later": "5.4 min",
}
_EXPECTED_UNITS = {
    (0.1, 0.12): "4,200",
    (0.1, 0.15): "800",
    (0.1, 0.05): "600",
    (0.5, 0.52): "10,400",
    (0.01, 0.02): "2,200",
}


def write_page(raw: Path, page: Path) -> None:
    """Render ``raw`` into ``page`` and the plots beside it."""
    records = read_raw(raw)
    page.write_text(render(records, raw.name) + _end_to_end(page.parent / "raw"), encoding="utf-8")
    (page.parent / "plots").mkdir(exist_ok=True)
    for name, text in plots(records).items():
        (page.parent / "plots" / name).write_text(text, encoding="utf-8")


def check_page(page: Path) -> None:
    """Exit with 1 unless ``page`` and its plots are exactly what the raw file that it names gives."""
    raw = simulated_raw(page)
    records = read_raw(raw)
    wanted = {page: render(records, raw.name) + _end_to_end(page.parent / "raw")}
    wanted |= {page.parent / "plots" / name: plot for name, plot in plots(records).items()}
    stale = [path.name for path, words in wanted.items() if path.read_text(encoding="utf-8") != words]
    if stale:
        raise SystemExit(
            f"{', '.join(stale)} differ from the raw file: python -m benchmarks.rollouts --render raw/{raw.name}"
        )


def simulated_raw(page: Path) -> Path:
    """The raw file of the simulations that ``page`` names. Exits where it names none."""
    named = re.search(r"\(raw/([^)]+\.jsonl)\)", page.read_text(encoding="utf-8"))
    if named is None:
        raise SystemExit(f"{page} names no raw file")
    return page.parent / "raw" / named[1]


def _end_to_end(raw: Path) -> str:
    """The section of the newest runs with real processes; empty where there is no raw file."""
    found = sorted(raw.glob("rollouts-end-to-end-*.jsonl"))
    return "\n" + end_to_end.section(found[-1]) if found else ""


def render(records: Records, raw_name: str) -> str:
    """The page's text."""
    parts = [
        _INTRODUCTION,
        _circumstances(records, raw_name),
        _comparison(records),
        _alphas(records),
        _shares(records),
        _promotions(records),
        _slownesses(records),
        _splits(records),
        _exact(records),
    ]
    return "\n".join(parts)


def _of(records: Records, kind: str) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == kind]


def _circumstances(records: Records, raw_name: str) -> str:
    header = _of(records, "header")[0]
    versions = ", ".join(f"{name} {version}" for name, version in header["versions"].items())
    seconds = sum(record.get("seconds", 0) for record in records)
    lines = [
        "## Circumstances",
        "",
        f"- commit `{header['commit']}`, {header['date']}, `{header['command']}`",
        f"- {versions}; {seconds:.0f} s on {header['machine']['cpu']}, one thread",
        "- every row has a seed of its own in the raw file; the same seed gives the same figures",
        f"- raw data: [raw/{raw_name}](raw/{raw_name})",
    ]
    return "\n".join(lines) + "\n"


def _comparison(records: Records) -> str:
    rows = [
        (
            record["case"]["name"],
            f"{record['runs']:,}",
            *(_cell(record["acted"][rule]) for rule in _RULES),
            _EXPECTED.get(record["case"]["name"], "-"),
        )
        for record in _of(records, "table")
    ]
    table = _table(("case", "runs", *_RULES, "expected, in that order"), rows)
    notes = (
        "In the first rows the canary is as good as stable: every rollback is a false one. In bursts, three bad "
        "attempts come together on one arm, as from users who stay on it and try again: that breaks the assumption "
        "of every rule here, which is why bad attempts must be counted once a user and interval."
    )
    pictures = "![False rollbacks](plots/rollouts-false-alarms.svg)\n\n![Detection](plots/rollouts-detection.svg)"
    return f"## The rules compared\n\n{table}\n\n{notes}\n\n{pictures}\n"


def _alphas(records: Records) -> str:
    equal, worse = (
        next(record for record in _of(records, "table") if record["case"]["name"] == name)
        for name in ("equal, 10/s, 10 %", "4 times as bad")
    )
    long = _of(records, "long")[0]
    names = {
        "alpha 0.05": ("alpha 0.05", "2.8 %"),
        "e-process": ("alpha 0.01", "0.67 %"),
        "alpha 0.001": ("alpha 0.001", "0"),
        "weight 0.4": ("alpha 0.01, errors weighing 0.4", "-"),
    }
    rows = [
        (name, _precise(equal["acted"][rule]), expected, _cell(worse["acted"][rule]))
        for rule, (name, expected) in names.items()
    ]
    long_name = f"alpha 0.01, 2/s, 12 hours, {long['runs']:,} runs"
    rows.append((long_name, _precise(long["acted"]["e-process"]), "0 of 150", "-"))
    table = _table(("rule", "false rollbacks", "expected", "4 times as bad"), rows)
    note = (
        "A weight of 0.4 is that of errors beside four other metrics that show nothing. Ville's inequality promises "
        "alpha at most; less is used because evidence grows in jumps, because intervals without bad attempts say "
        "nothing, and because an hour ends."
    )
    return f"## False rollbacks by alpha\n\n{table}\n\n{note}\n\n![Evidence](plots/rollouts-evidence.svg)\n"


def _shares(records: Records) -> str:
    rows = [
        (
            record["case"]["name"],
            f"{record['runs']:,}",
            _cell(record["acted"]["e-process"]),
            _EXPECTED[record["case"]["name"]],
        )
        for record, name in ((record, record["case"]["name"]) for record in _of(records, "share"))
    ]
    return f"## Detection by share, 10 requests/s\n\n{_table(('case', 'runs', 'rolled back', 'expected'), rows)}\n"


def _promotions(records: Records) -> str:
    rows = []
    for record in _of(records, "promotion"):
        requests = record["requests"]
        taken = "-" if requests is None else " / ".join(f"{value:,.0f}" for value in requests)
        name = record["case"]["name"]
        rows.append((name, f"{record['runs']:,}", _cell(record["acted"]), taken, _EXPECTED[name]))
    header = ("case", "runs", "promoted", "canary requests, p10 / p50 / p90", "expected")
    return f"## Promotion\n\n{_table(header, rows)}\n\n![Requests](plots/rollouts-requests.svg)\n"


def _slownesses(records: Records) -> str:
    rows = [
        (record["name"], f"{record['runs']:,}", _cell(record["acted"]), _EXPECTED[record["name"]])
        for record in _of(records, "slowness")
    ]
    circumstances = "Lognormal durations (sigma 0.6, median 1 s), 10 requests/s, 10 %; this metric alone, alpha 0.01."
    return f"## Slowness\n\n{circumstances}\n\n{_table(('canary', 'runs', 'rolled back', 'expected'), rows)}\n"


def _splits(records: Records) -> str:
    rows = []
    for record in _of(records, "split"):
        place = median_place(record["acted"])
        units = "-" if place is None else f"{place * record['batch']:,}"
        pair = (record["declared"], record["actual"])
        expected = _EXPECTED_UNITS.get(pair, "0-0.3 % false")
        rows.append((f"{pair[0]:.0%}", f"{pair[1]:.0%}", _precise(record["acted"]), units, expected))
    units = _of(records, "split")[0]["units"]
    head = f"## Splits that are not as declared\n\nUp to {units:,} assignments, alarm at 1 in 1,000.\n\n"
    return f"{head}{_table(('declared', 'actual', 'called wrong', 'assignments (median)', 'expected'), rows)}\n"


def _exact(records: Records) -> str:
    exact = _of(records, "exact")[0]
    errors = ", ".join(f"{count} at {float(share):.0%}" for share, count in exact["errors_needed"].items())
    clean = ", ".join(f"{count:,} for {float(rate):.1%}" for rate, count in exact["clean_attempts"].items())
    rows = [
        (f"{float(rate):.1%}", *(f"{count:,}" for count in found.values()))
        for rate, found in exact["requests_needed"].items()
    ]
    increases = next(iter(exact["requests_needed"].values()))
    table = _table(("bad rate of both", *(f"may grow {float(increase):.1%}" for increase in increases)), rows)
    lines = [
        "## Figures without chance",
        "",
        f"- Bad attempts, all on the canary, for a rollback at alpha 0.01, by share: {errors} (expected: the same).",
        f"- Attempts, none bad, that certify a rate at beta 0.05: {clean} (expected: 120, 320, 680, 1,440).",
        f"- Pairs of answers of which only the canary's is bad, for 100 to 1: {exact['pairs_needed']} (expected: 9).",
        "- Canary requests until promotion when both arms are bad exactly as often as expected, at 10 % share:",
        "",
        table,
    ]
    return "\n".join(lines) + "\n"


def _cell(acted: dict[str, int]) -> str:
    minutes = median_minutes(acted)
    share = f"{100 * acted_share(acted):.3g} %"
    return share if minutes is None else f"{share}, {minutes:.1f} min"


def _precise(acted: dict[str, int]) -> str:
    return f"{100 * acted_share(acted):.3g} % ± {100 * standard_error(acted):.2g}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
