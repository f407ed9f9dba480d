"""``podium quotas``: limits of tenants and models, changed while servers run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
import typer

from podium.access.key_store import KeyStore
from podium.access.overrides import OverrideKind, QuotaOverrides
from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.key_work import in_key_store
from podium.cli.limits import (
    BudgetPer30DaysOption,
    BudgetPerDayOption,
    ConcurrentOption,
    RequestsPerMinuteOption,
    TokensPerDayOption,
    TokensPerMinuteOption,
    changed,
    limits_text,
)
from podium.cli.options import ConfigOption, JsonOption, SetOption, settings_from
from podium.config.access import Access, QuotaLimits
from podium.core.identity import Quotas

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show and change the limits of tenants and models. No server is needed; running ones notice within a second.\n"
    "\n\b\nExamples:\n  podium quotas show\n  podium quotas set --tenant acme --tokens-per-minute 50000",
)

_EVERY_OTHER = "*"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/-]{0,127}\Z")


@app.command("set", short_help="Set limits of a tenant or model.")
def set_quotas(
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", help="For all keys of this tenant together.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="For all callers of this model together.", metavar="NAME")
    ] = None,
    requests_per_minute: RequestsPerMinuteOption = None,
    tokens_per_minute: TokensPerMinuteOption = None,
    tokens_per_day: TokensPerDayOption = None,
    concurrent: ConcurrentOption = None,
    budget_per_day: BudgetPerDayOption = None,
    budget_per_30_days: BudgetPer30DaysOption = None,
    reset: Annotated[bool, typer.Option("--reset", help="Let the configured limits hold again.")] = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set limits of a tenant or model over the configured ones; those that are left out stay as they are.

    \b
    Examples:
      podium quotas set --tenant acme --tokens-per-minute 50000
      podium quotas set --model demo --concurrent 8
      podium quotas set --tenant acme --reset
    """
    limits: Mapping[str, float | None] = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "tokens_per_day": tokens_per_day,
        "concurrent_requests": concurrent,
        "budget_per_day": budget_per_day,
        "budget_per_30_days": budget_per_30_days,
    }
    kind, name = _subject(tenant, model)
    if reset == any(value is not None for value in limits.values()):
        raise Failure("give limits to set, or --reset alone; see podium quotas set --help", ExitCode.USAGE)
    settings = settings_from(config, assignments).settings

    async def put(store: KeyStore) -> Quotas:
        known = (await store.snapshot()).overrides.of(kind).get(name, configured(settings.access, kind, name))
        wanted = configured(settings.access, kind, name) if reset else changed(known, limits)
        await store.set_override(kind, name, None if reset else wanted)
        return wanted

    quotas = in_key_store(settings, put)
    if as_json:
        output.document({kind: name, "quotas": quotas})
    else:
        output.line(f"{kind} {name}: {limits_text(quotas) or 'no limits'}")


@app.command(short_help="Show the limits of tenants and models.")
def show(*, config: ConfigOption = None, assignments: SetOption = None, as_json: JsonOption = False) -> None:
    """Show the limits of tenants and models, and whether they come from the configuration or from `quotas set`.

    \b
    Examples:
      podium quotas show
      podium quotas show --json
    """
    settings = settings_from(config, assignments).settings
    overrides = in_key_store(settings, lambda store: store.snapshot()).overrides
    rows = [*_rows(settings.access, overrides, "tenant"), *_rows(settings.access, overrides, "model")]
    if as_json:
        output.document([{"kind": kind, "name": name, "quotas": q, "origin": origin} for kind, name, q, origin in rows])
        return
    shown = [(kind, name, limits_text(quotas), origin) for kind, name, quotas, origin in rows]
    output.table(("kind", "name", "limits", "origin"), shown)


def configured(access: Access, kind: OverrideKind, name: str) -> Quotas:
    """What the configuration says for a tenant or model; for tenants ``*`` covers those that are not listed."""
    listed = access.tenants if kind == "tenant" else access.models
    limits = listed.get(name) or (listed.get(_EVERY_OTHER) if kind == "tenant" else None)
    return _quotas(limits or QuotaLimits())


def _rows(access: Access, overrides: QuotaOverrides, kind: OverrideKind) -> list[tuple[str, str, Quotas, str]]:
    listed = access.tenants if kind == "tenant" else access.models
    found = {name: (kind, name, _quotas(limits), "configuration") for name, limits in listed.items()}
    found |= {name: (kind, name, quotas, "set") for name, quotas in overrides.of(kind).items()}
    return [found[name] for name in sorted(found)]


def _quotas(limits: QuotaLimits) -> Quotas:
    return msgspec.convert(limits.model_dump(), Quotas)


def _subject(tenant: str | None, model: str | None) -> tuple[OverrideKind, str]:
    if (tenant is None) == (model is None):
        raise Failure("name a --tenant or a --model, one of the two", ExitCode.USAGE)
    name = tenant or model or ""
    if not _NAME.match(name):
        raise Failure(
            "one tenant or model is named by 1 to 128 letters, digits and ._-@/; "
            "limits of all others (`*`) are in the configuration",
            ExitCode.USAGE,
        )
    return "model" if tenant is None else "tenant", name
