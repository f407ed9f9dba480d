"""A result for a person: the stamp first, figures only where they may be believed."""

from __future__ import annotations

from pathlib import Path

from podium.bench.record import FAILURE_MEANINGS, Failure
from podium.bench.result import RunResult
from podium.bench.summary import Distribution, Summary
from podium.cli import output

_MS = 1000.0


def show_result(result: RunResult, folder: Path) -> None:
    """Print it."""
    _stamp(result)
    _counts(result)
    if result.summary is not None:
        _figures(result.summary, streamed=result.streamed)
    for note in result.notes:
        output.note(note)
    output.line("")
    output.line(f"results: {folder}")


def _stamp(result: RunResult) -> None:
    if result.valid:
        output.line(f"VALID: {result.provenance.model} at {result.provenance.target}")
        return
    output.line(f"INVALID: {result.provenance.model} at {result.provenance.target}; no figure may be quoted")
    for entry in result.invalid:
        output.line(f"  {entry.reason}: {entry.detail}")


def _counts(result: RunResult) -> None:
    counts = result.counts
    output.line("")
    output.facts(
        {
            "requests": f"{counts.offered} offered: {counts.ok} ok, {counts.failed} failed, {counts.cancelled} "
            f"cancelled on purpose, {counts.unfinished} unfinished; {counts.warm_up} more to warm up",
            "client": f"{result.client.get('workers', 0):.0f} workers, busiest at "
            f"{result.client.get('worker_cpu_ratio', 0):.0%} of a core{_calibrated(result)}",
        }
    )
    if counts.failures:
        output.line("")
        most_first = sorted(counts.failures.items(), key=lambda entry: -entry[1])
        rows = [(count, name, FAILURE_MEANINGS[Failure(name)]) for name, count in most_first]
        output.table(["failed", "class", "meaning"], rows)


def _calibrated(result: RunResult) -> str:
    found = result.calibration
    if found is None:
        return "; not calibrated"
    if found.asked_per_second is None:
        return f"; {found.reached_per_second:.0f} requests/s against a no-op server"
    return (
        f"; against a no-op server {found.reached_per_second:.1f} of the {found.asked_per_second:.1f} requests/s asked"
    )


def _figures(summary: Summary, *, streamed: bool) -> None:
    load, window = summary.load, summary.window
    asked = "" if load.asked_per_second is None else f"{load.asked_per_second:.2f} asked, "
    sent = "" if load.delivered_per_second is None else f"{load.delivered_per_second:.2f} sent, "
    facts = {
        "window": f"{window.begin:.1f} to {window.end:.1f} s",
        "requests/s": f"{asked}{sent}{summary.request_throughput:.2f} answered",
        "tokens/s": f"{summary.output_throughput:.1f} out, {summary.prompt_throughput:.1f} in",
        "in flight": f"{load.mean_in_flight:.1f} on average, {load.peak_in_flight} at most",
    }
    if summary.goodput is not None:
        kept = ", ".join(f"{name} {seconds:g} s" for name, seconds in summary.goodput.objectives.items())
        facts["goodput"] = f"{summary.goodput.per_second:.2f}/s; {summary.goodput.attainment or 0:.2%} kept {kept}"
    output.facts(facts)
    output.line("")
    columns = ["milliseconds", "mean", "p50", "p90", "p95", "p99", "p99 at most"]
    output.table(columns, [(name, *_row(found, streamed=streamed)) for name, found in summary.durations])


def _row(found: Distribution, *, streamed: bool) -> list[str]:
    if not streamed and not found.count:
        return ["not defined", *[""] * 5]
    upper = next((entry.upper for entry in found.percentiles if entry.percent == 99), None)
    values = [found.mean, found.at(50), found.at(90), found.at(95), found.at(99), upper]
    return ["-" if value is None else f"{value * _MS:.2f}" for value in values]
