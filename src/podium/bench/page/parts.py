"""The parts of the report that are words and tables."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape

from podium.bench.page.many_charts import asked_rate
from podium.bench.page.run_view import RunView
from podium.bench.page.scale import number_text, seconds_text, share_text
from podium.bench.phases import MEANINGS, Phases
from podium.bench.record import FAILURE_MEANINGS, Failure
from podium.bench.result import RunResult
from podium.bench.summary import Distribution, Summary

_PERCENTS = (50.0, 90.0, 95.0, 99.0)
_MOST_DETAILS = 5


def banner(result: RunResult) -> str:
    """Whether the figures may be believed."""
    target = f"{escape(result.provenance.model)} at {escape(result.provenance.target)}"
    if result.valid:
        started = escape(result.provenance.started_at)
        return f'<div class="banner valid"><strong>VALID</strong> {target}, {started}</div>'
    reasons = "".join(f"<li><b>{escape(one.reason)}</b>: {escape(one.detail)}</li>" for one in result.invalid)
    return (
        f'<div class="banner invalid" role="alert"><strong>INVALID</strong> {target}. '
        f"No figure of this run may be quoted, so none is shown.<ul>{reasons}</ul></div>"
    )


def invalid_banner(results: Sequence[RunResult]) -> str:
    """One banner for all runs of several that must not be believed; empty when there are none."""
    bad = [result for result in results if not result.valid]
    if not bad:
        return ""
    rows = [(result.name, "; ".join(f"{one.reason}: {one.detail}" for one in result.invalid)) for result in bad]
    words = f"<strong>INVALID</strong> {len(bad)} of {len(results)} runs must not be believed and show no figures."
    return f'<div class="banner invalid" role="alert">{words}{table(["run", "why"], rows)}</div>'


def headline(result: RunResult) -> str:
    """The figures that are quoted, and the table of latencies."""
    summary = result.summary
    assert summary is not None  # noqa: S101 - this is a bug: an INVALID run has no headline
    load, counts = summary.load, summary.counts
    figures = {
        "requests per second answered": number_text(summary.request_throughput),
        "output tokens per second": number_text(summary.output_throughput),
        **_usual_latencies(result.streamed, summary),
        "failed": f"{counts.failed} of {counts.offered}",
        "in flight on average": number_text(load.mean_in_flight),
    }
    if load.asked_per_second is not None and load.delivered_per_second is not None:
        figures["requests per second sent, of those asked"] = (
            f"{load.delivered_per_second:.4g} of {load.asked_per_second:.4g}"
        )
    if summary.goodput is not None:
        kept = ", ".join(f"{name} {seconds_text(value)}" for name, value in summary.goodput.objectives.items())
        figures[f"of all offered kept {kept}"] = share_text(summary.goodput.attainment or 0.0)
    blocks = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in figures.items())
    head = ["", "samples", "mean", *(f"p{percent:g}" for percent in _PERCENTS), "p99 at most"]
    return f'<div class="figures">{blocks}</div>' + table(
        head, [(name, *_latencies(found, streamed=result.streamed)) for name, found in summary.durations]
    )


def _usual_latencies(streamed: bool, summary: Summary) -> dict[str, str]:  # noqa: FBT001 - private
    if streamed:
        ttft, tpot = summary.ttft_scheduled.at(95), summary.tpot.at(50)
        return {"TTFT p95, from the planned time": _seconds(ttft), "TPOT p50": _seconds(tpot)}
    return {"end to end p95, from the planned time": _seconds(summary.e2e_scheduled.at(95))}


def _latencies(found: Distribution, *, streamed: bool) -> list[str]:
    if not streamed and not found.count:
        return ["not defined", *[""] * (len(_PERCENTS) + 2)]
    upper = next((one.upper for one in found.percentiles if one.percent == 99), None)
    return [str(found.count), *(_seconds(v) for v in (found.mean, *(found.at(p) for p in _PERCENTS), upper))]


def runs_table(results: Sequence[RunResult]) -> str:
    """One line for each run."""
    head = ["run", "", "load /s", "answered /s", "tokens /s", "TTFT p95", "TPOT p50", "end to end p95", "failed"]
    return table(head, [_run_row(result) for result in results])


def _run_row(result: RunResult) -> tuple[str, ...]:
    tags = ", ".join(f"{name} {value}" for name, value in result.tags.items())
    name = f"{result.name} ({tags})" if tags else result.name
    counts = result.counts
    failed = f"{counts.failed} of {counts.offered}"
    summary = result.summary
    if summary is None:
        return (name, "INVALID", "", "", "", "", "", "", failed)
    figures = (asked_rate(summary), summary.request_throughput, summary.output_throughput)
    latencies = (summary.ttft_scheduled.at(95), summary.tpot.at(50), summary.e2e_scheduled.at(95))
    return (
        name,
        "valid",
        *(number_text(value) for value in figures),
        *(_seconds(value) for value in latencies),
        failed,
    )


def cost_table(results: Sequence[RunResult], price_per_hour: float | None) -> str:
    """What a million output tokens cost at the price of the machine; empty without a price."""
    if price_per_hour is None:
        return ""
    rows = [
        (result.name, number_text(result.summary.output_throughput), f"{cost_of(result, price_per_hour):.3g}")
        for result in results
        if result.summary is not None and result.summary.output_throughput > 0
    ]
    note = f'<p class="quiet">At {price_per_hour:g} an hour for the machine, at this load.</p>'
    return table(["run", "output tokens /s", "cost of a million output tokens"], rows) + note


def cost_of(result: RunResult, price_per_hour: float) -> float:
    """Price of a million output tokens."""
    assert result.summary is not None  # noqa: S101 - this is a bug: an INVALID run has no cost
    return price_per_hour / 3600 / result.summary.output_throughput * 1e6


def failures(view: RunView, *, named: bool = False) -> str:
    """Failures by class with their first details; one line when there are none."""
    counts = view.result.counts
    name = f"<p><b>{escape(view.result.name)}</b></p>" if named else ""
    if not counts.failures:
        return "" if named else f"<p>None: {counts.ok} of {counts.offered} requests succeeded.</p>"
    rows = [
        (str(count), kind, FAILURE_MEANINGS[Failure(kind)], "; ".join(_details(view, kind)))
        for kind, count in sorted(counts.failures.items(), key=lambda one: -one[1])
    ]
    return name + table(["requests", "class", "meaning", "first details"], rows)


def _details(view: RunView, kind: str) -> list[str]:
    found = dict.fromkeys(record.detail for record in view.records if record.failure == kind and record.detail)
    return list(found)[:_MOST_DETAILS]


def accounting_bar(found: Phases | None) -> str:
    """Mean seconds of a request by where they were spent; in sum its end-to-end time."""
    if found is None:
        return '<p class="quiet">Not known without the request log of the server (<code>--server-log</code>).</p>'
    means = {name: part.mean or 0.0 for name, part in found.parts.items()}
    whole, at, parts = sum(max(mean, 0.0) for mean in means.values()) or 1.0, 0.0, []
    for tone, (name, mean) in enumerate(means.items()):
        width = 1000 * max(mean, 0.0) / whole
        words = f"{name}: {seconds_text(mean)}"
        parts.append(
            f'<rect class="tone{tone}" x="{at:.1f}" y="0" width="{width:.1f}" height="34"><title>{words}</title></rect>'
        )
        at += width
    sentence = f"Mean of {found.joined} of {found.of} good requests: {_seconds(found.whole.mean)} from planned to end."
    if found.impossible:
        sentence += f" {found.impossible} took longer inside than others saw from outside: are the logs of this run?"
    keys = "".join(f'<li class="tone{tone}">{escape(name)}</li>' for tone, name in enumerate(means))
    frame = f'class="bar" viewBox="0 0 1000 34" preserveAspectRatio="none" role="img" aria-label="{escape(sentence)}"'
    bar = f"<svg {frame}>{''.join(parts)}</svg>"
    rows = [(name, seconds_text(mean), share_text(mean / whole), MEANINGS[name]) for name, mean in means.items()]
    listed = table(["phase", "mean", "share", "what it is"], rows)
    return f'{bar}<ul class="legend">{keys}</ul>{listed}<p class="quiet">{escape(sentence)}</p>'


def provenance(result: RunResult) -> str:
    """Command, versions, seed, machine, target."""
    found, machine = result.provenance, result.provenance.machine
    rows = [
        ("command", shlex.join(found.command)),
        ("started", found.started_at),
        ("target", f"{found.model} at {found.target} ({found.dialect})"),
        ("server says", ", ".join(f"{name}: {value}" for name, value in found.server.items()) or "nothing"),
        ("seed", str(found.seed)),
        ("tokens counted by", found.tokenizer or "nobody"),
        ("client", f"Podium {found.podium_version}, Python {found.python_version}, commit {found.commit or 'unknown'}"),
        ("machine", ", ".join(f"{name}: {value}" for name, value in machine.items()) or "unknown"),
    ]
    return table(["", ""], rows) + "".join(f'<p class="quiet">{escape(note)}</p>' for note in result.notes)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows; every column but the first is to the right when it holds numbers only."""
    numeric = [column > 0 and all(_is_number(row[column]) for row in rows) for column in range(len(head))]
    css = ['class="n"' if right else "" for right in numeric]
    titles = "".join(f"<th {css[at]}>{escape(name)}</th>" for at, name in enumerate(head))
    lines = "".join(
        "<tr>" + "".join(f"<td {css[at]}>{escape(cell)}</td>" for at, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'


def _is_number(cell: str) -> bool:
    return cell in {"", "-"} or cell[0].isdigit()


def _seconds(value: float | None) -> str:
    return "-" if value is None else seconds_text(value)
