"""What ``podium top`` draws of one answer of ``GET /monitoring/dashboard``."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from podium.cli import output
from podium.cli.durations import duration_text
from podium.cli.top.figures import UNKNOWN, count, line, newest, rate, seconds, share, total
from podium.protocols.monitoring import (
    BudgetBody,
    DashboardAnswer,
    EpisodeBody,
    GpuBody,
    ModelBody,
    ReplicaBody,
    RequestsBody,
)

_STATUS = {"healthy": "bold green", "degraded": "bold yellow", "unhealthy": "bold red", "unknown": "bold magenta"}
_STATE = {"up": "green", "stale": "yellow", "unknown": "magenta"}
_SEVERITY = {"page": "bold red", "ticket": "yellow"}
_LINE_COLUMNS = 40
WIDE_COLUMNS = 100
_LEFT_OUT = {"p95", "a token", "KV", "memory", "ready"}
_MODEL_COLUMNS = (
    "model", "req/s", "bad/s", "TTFT", "p95", "a token", "e2e p95", "tok/s", "run", "wait", "cache", "KV", "memory",
    "ready",
)  # fmt: skip
_MOST_PAST = 5
_OLD_SECONDS = 3.0
_MOST_SLOWEST = 5


def picture(
    answer: DashboardAnswer, now: DashboardAnswer, address: str, *, columns: int = WIDE_COLUMNS
) -> RenderableType:
    """The whole picture, top to bottom: is all well, what fires, models, environments, servers, what has ended.

    Lines are those of ``answer``, figures those of ``now``, which is of the shortest span: its last step is of the
    last seconds, whatever span was asked for. With fewer ``columns`` than ``WIDE_COLUMNS`` the figures that one looks
    at last are left out.
    """
    parts: list[RenderableType] = [_head(answer, now, address), Text()]
    parts += [Text(f"! {problem.subject}: {problem.sentence}", style="yellow") for problem in now.problems]
    parts += [_firing(episode, now.at + now.age_seconds) for episode in now.firing]
    if now.problems or now.firing:
        parts.append(Text())
    parts += [
        _models(now.models, narrow=columns < WIDE_COLUMNS),
        Text(),
        _environments(now),
        Text(),
        _servers(now.replicas),
    ]
    if now.gpus.now:
        parts += [Text(), _gpus(now.gpus.now)]
    if now.requests.slowest:
        parts += [Text(), _slowest(now.requests)]
    if now.past:
        parts += [Text(), Text("Ended", style="bold"), *(_ended(episode) for episode in now.past[:_MOST_PAST])]
    return Group(*parts)


def _head(answer: DashboardAnswer, now: DashboardAnswer, address: str) -> RenderableType:
    told = time.strftime("%H:%M:%S", time.localtime(now.at))
    first = Text.assemble((now.status, _STATUS[now.status]), f"  {address}  figures of {told}")
    if now.age_seconds > _OLD_SECONDS:
        first.append(f", {duration_text(now.age_seconds)} ago", style="bold magenta")
    grid = Table.grid(padding=(0, 2))
    grid.add_row("requests/s", rate(newest(_all_ended(now))), line(_all_ended(answer), _LINE_COLUMNS))
    grid.add_row("bad/s", rate(newest(now.bad)), Text(line(answer.bad, _LINE_COLUMNS), style="red"))
    grid.add_row("budget left", share(now.budget.left), _budget(now.budget))
    grid.add_row("in flight", count(newest(now.in_flight)), line(answer.in_flight, _LINE_COLUMNS))
    return Group(first, grid)


def _budget(budget: BudgetBody) -> str:
    known = [duration_text(day.known_seconds) for day in budget.windows[-1:] if day.known_seconds < 0.99 * day.seconds]
    return f"of a day{f' ({known[0]} of it known)' if known else ''}, at {budget.objective:.4g} good"


def _all_ended(told: DashboardAnswer | ModelBody) -> list[float | None]:
    """Requests that ended, a second, whoever's doing it was."""
    return [total(*each) for each in zip(told.good, told.bad, told.excluded, strict=True)]


def _firing(episode: EpisodeBody, now: float) -> Text:
    since = duration_text(max(0.0, now - episode.fired_at))
    return Text.assemble(
        (f"{episode.rule} {episode.subject}", _SEVERITY[episode.severity]), f" for {since}: {episode.sentence}"
    )


def _models(models: Sequence[ModelBody], *, narrow: bool) -> Table:
    left_out = _LEFT_OUT if narrow else set()
    table = _table([name for name in _MODEL_COLUMNS if name not in left_out])
    for model in models:
        cells: tuple[str | Text, ...] = (
            model.name,
            rate(newest(_all_ended(model))),
            _alarming(rate(newest(model.bad)), newest(model.bad)),
            seconds(newest(model.ttft_p50)),
            seconds(newest(model.ttft_p95)),
            seconds(newest(model.inter_token_p50)),
            seconds(newest(model.e2e_p95)),
            rate(newest(model.output_tokens)),
            _of(newest(model.running), model.running_limit),
            _of(newest(model.waiting), model.queue_limit),
            share(newest(model.cache_hit_rate)),
            share(newest(model.kv_ratio)),
            _bytes(newest(model.memory_bytes)),
            count(model.replicas_ready),
        )
        table.add_row(*(cell for name, cell in zip(_MODEL_COLUMNS, cells, strict=True) if name not in left_out))
    return table


def _environments(answer: DashboardAnswer) -> Table:
    table = _table(("environment", "attempts/s", "failed/s", "healthy servers"))
    for environment in answer.environments:
        failed = newest(environment.failed_attempts)
        healthy = _of(environment.healthy, environment.servers)
        table.add_row(environment.name, rate(newest(environment.attempts)), _alarming(rate(failed), failed), healthy)
    return table


def _servers(replicas: Sequence[ReplicaBody]) -> Table:
    table = _table(("server", "state", "run", "wait", "memory", "what is wrong"))
    for replica in replicas:
        state = Text(replica.state, style=_STATE.get(replica.state, "red"))
        figures = (count(replica.running), count(replica.waiting), _bytes(replica.memory_bytes))
        table.add_row(replica.name, state, *figures, replica.problem)
    return table


def _gpus(gpus: Sequence[GpuBody]) -> Table:
    table = _table(("GPU", "memory", "busy", "W"))
    for gpu in gpus:
        memory = f"{_bytes(gpu.used_bytes)}/{_bytes(gpu.size_bytes)}"
        table.add_row(f"{gpu.replica} {gpu.gpu}", memory, share(gpu.utilization_ratio), count(gpu.watts))
    return table


def _slowest(requests: RequestsBody) -> Table:
    table = _table(("slowest request", "took", "TTFT", "tokens", "model", "server", "outcome"))
    for seen in requests.slowest[:_MOST_SLOWEST]:
        one = seen.request
        figures = (seconds(one.e2e_seconds), seconds(one.ttft_seconds), count(one.output_tokens))
        table.add_row(one.trace_id or one.request_id, *figures, one.model, seen.replica, one.outcome)
    return table


def _ended(episode: EpisodeBody) -> Text:
    when = time.strftime("%H:%M:%S", time.localtime(episode.ended_at or 0))
    how = "its data ended" if episode.end == "no data" else "resolved"
    lasted = duration_text((episode.ended_at or episode.fired_at) - episode.fired_at)
    return Text(f"{when} {episode.rule} {episode.subject} {how} after {lasted}")


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        words = number == 0 or name in {"state", "what is wrong"}
        table.add_column(name, justify="left" if words else "right", no_wrap=name != "what is wrong")
    return table


def _of(value: float | None, limit: float | None) -> str:
    return f"{count(value)}/{count(limit)}" if limit is not None else count(value)


def _alarming(text: str, value: float | None) -> Text:
    return Text(text, style="red" if value else "")


def _bytes(value: float | None) -> str:
    return UNKNOWN if value is None else output.byte_text(int(value))
