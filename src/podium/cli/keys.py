"""``podium keys``: who may call, straight in the key store."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from podium.access import api_keys
from podium.access.key_record import KeyRecord, is_tenant_name
from podium.access.key_store import KeyStore, no_such_key
from podium.cli import output
from podium.cli.connection import address
from podium.cli.durations import seconds_in, time_text
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
    finite,
    limits_text,
)
from podium.cli.options import ConfigOption, JsonOption, SetOption, settings_from
from podium.config.models import names_of
from podium.config.nearest import nearest_word
from podium.config.settings import Settings
from podium.core.identity import ROLES, Quotas, Role

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Create, list, change, rotate and revoke keys. No server is needed; running ones notice within a second.\n\n"
    "\b\nExamples:\n  podium keys create --tenant acme\n  podium keys list",
)

IdArgument = Annotated[str, typer.Argument(help="Id of a key, as `podium keys list` shows it.", metavar="ID")]
TenantOption = Annotated[str, typer.Option("--tenant", help="Whose key it is; usage and cached answers are by tenant.")]
RoleOption = Annotated[
    list[str] | None,
    typer.Option("--role", help="What it may do: infer (if left out), admin or metrics. May repeat.", metavar="ROLE"),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option("--model", help="A model that it may use; all of them if left out. May repeat.", metavar="NAME"),
]
ExpiresOption = Annotated[
    str | None, typer.Option("--expires", help="End after this long: 90d, 12h; never if left out.", metavar="DURATION")
]
NoteOption = Annotated[str | None, typer.Option("--note", help="What or whom it is for.", metavar="TEXT")]
WeightOption = Annotated[
    float | None, typer.Option("--weight", min=0.001, max=1000, help="Share among waiting tenants; 1 is the usual one.")
]
PriorityOption = Annotated[
    int | None,
    typer.Option("--priority", min=-100, max=100, help="Higher ones are served first; 0 if left out."),
]

MOST_NOTE_CHARACTERS = 200

_ID = re.compile(r"[0-9a-f]{16}\Z")


@app.command(short_help="Make a key and print it, once.")
def create(
    *,
    tenant: TenantOption = "default",
    role: RoleOption = None,
    model: ModelOption = None,
    expires: ExpiresOption = None,
    note: NoteOption = None,
    requests_per_minute: RequestsPerMinuteOption = None,
    tokens_per_minute: TokensPerMinuteOption = None,
    tokens_per_day: TokensPerDayOption = None,
    concurrent: ConcurrentOption = None,
    budget_per_day: BudgetPerDayOption = None,
    budget_per_30_days: BudgetPer30DaysOption = None,
    weight: WeightOption = None,
    priority: PriorityOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it. It is shown this once; the store keeps a digest.

    \b
    Examples:
      podium keys create --tenant acme --note "their web shop"
      podium keys create --tenant acme --model demo --expires 90d --tokens-per-minute 20000
      podium keys create --role metrics --note prometheus --json
    """
    settings = settings_from(config, assignments).settings
    if not is_tenant_name(tenant):
        raise Failure(
            "--tenant: use 1 to 128 letters, digits, '.', '_', '-' or '@', beginning with a letter or digit; "
            "'anonymous' is taken",
            ExitCode.USAGE,
        )
    now, minted = time.time(), api_keys.mint()
    record = KeyRecord(
        id=minted.id,
        digest=minted.digest,
        tenant=tenant,
        created_at=now,
        roles=_roles(role),
        models=_model_names(settings, model),
        quotas=changed(
            Quotas(),
            {
                "requests_per_minute": requests_per_minute,
                "tokens_per_minute": tokens_per_minute,
                "tokens_per_day": tokens_per_day,
                "concurrent_requests": concurrent,
                "budget_per_day": budget_per_day,
                "budget_per_30_days": budget_per_30_days,
            },
        ),
        weight=1.0 if weight is None else finite(weight),
        priority=priority or 0,
        note=_checked_note(note or ""),
        expires_at=now + seconds_in(expires, "--expires") if expires and expires != "0" else None,
    )

    async def add(store: KeyStore) -> bool:
        is_first = not (await store.snapshot()).records
        await store.add(record)
        return is_first

    is_first = in_key_store(settings, add)
    _tell(settings, record, minted, as_json=as_json)
    if is_first and settings.access.anonymous == "loopback" and not as_json:
        output.note("This is the first key: from now on servers on this store serve nobody without one.")


@app.command("list", short_help="List keys.")
def list_keys(
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only keys of this tenant.")] = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List keys, oldest first, those that have ended included. The keys themselves are not kept anywhere.

    \b
    Examples:
      podium keys list
      podium keys list --tenant acme --json
    """
    settings, now = settings_from(config, assignments).settings, time.time()
    records = in_key_store(settings, lambda store: store.snapshot()).records
    found = [record for record in records.values() if tenant in (None, record.tenant)]
    found.sort(key=lambda record: (record.created_at, record.id))
    if as_json:
        output.document({"keys": [_document(record, now) for record in found]})
        return
    columns = ("id", "tenant", "roles", "models", "state", "expires", "limits", "note")
    output.table(columns, [_row(record, now) for record in found])


@app.command(short_help="Show one key.")
def show(
    key_id: IdArgument, *, config: ConfigOption = None, assignments: SetOption = None, as_json: JsonOption = False
) -> None:
    """Show everything that is kept of a key, except its digest.

    \b
    Examples:
      podium keys show 0123456789abcdef
      podium keys show 0123456789abcdef --json
    """
    settings = settings_from(config, assignments).settings
    record = in_key_store(settings, lambda store: _find(store, key_id))
    shown = _document(record, time.time())
    if as_json:
        output.document(shown)
        return
    times = {name: time_text(value) for name, value in shown.items() if name.endswith("_at")}
    models = "all" if record.models is None else record.models
    output.facts(
        {**shown, **times, "models": models, "quotas": limits_text(record.quotas), "note": record.note or None}
    )


@app.command(short_help="End a key for ever.")
def revoke(
    key_id: IdArgument, *, config: ConfigOption = None, assignments: SetOption = None, as_json: JsonOption = False
) -> None:
    """End a key for ever. Every server refuses it within a second; requests that run are finished.

    \b
    Examples:
      podium keys revoke 0123456789abcdef
      podium keys revoke 0123456789abcdef --json
    """
    settings = settings_from(config, assignments).settings

    async def end(store: KeyStore) -> KeyRecord:
        await store.revoke(_checked(key_id), time.time())
        return await _find(store, key_id)

    record = in_key_store(settings, end)
    if as_json:
        output.document(_document(record, time.time()))
    else:
        output.line(f"{record.id} of {record.tenant} is revoked")


@app.command(short_help="Replace a key by a new one with the same rights.")
def rotate(
    key_id: IdArgument,
    *,
    grace: Annotated[
        str, typer.Option("--grace", help="How long the old key goes on working; 0 ends it now.", metavar="DURATION")
    ] = "1h",
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a successor with the same rights, print it once, and let the old key end.

    A key that expires gets a successor that lives as long from now on.

    \b
    Examples:
      podium keys rotate 0123456789abcdef
      podium keys rotate 0123456789abcdef --grace 0 --json
    """
    settings, now, minted = settings_from(config, assignments).settings, time.time(), api_keys.mint()
    grace_seconds = seconds_in(grace, "--grace")

    async def replace(store: KeyStore) -> tuple[KeyRecord, float | None]:
        old = await _find(store, key_id)
        if not old.is_valid(now):
            raise Failure(f"{old.id} is {old.state(now)}; create a new key instead", ExitCode.REFUSED)
        ends_at = min(now + grace_seconds, old.expires_at or float("inf")) if grace_seconds else None
        successor = _successor(old, minted, now)
        await store.rotate(successor, old_ends_at=ends_at)
        return successor, ends_at

    successor, ends_at = in_key_store(settings, replace)
    _tell(settings, successor, minted, as_json=as_json)
    if not as_json:
        end = f"works until {time_text(ends_at)}" if ends_at else "is revoked"
        output.note(f"The old key {successor.rotated_from} {end}.")


@app.command("set", short_help="Change a key's limits.")
def set_rights(
    key_id: IdArgument,
    *,
    note: NoteOption = None,
    requests_per_minute: RequestsPerMinuteOption = None,
    tokens_per_minute: TokensPerMinuteOption = None,
    tokens_per_day: TokensPerDayOption = None,
    concurrent: ConcurrentOption = None,
    budget_per_day: BudgetPerDayOption = None,
    budget_per_30_days: BudgetPer30DaysOption = None,
    weight: WeightOption = None,
    priority: PriorityOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a key's limits, weight, priority or note; what is left out stays. Servers notice within a second.

    \b
    Examples:
      podium keys set 0123456789abcdef --tokens-per-minute 50000
      podium keys set 0123456789abcdef --requests-per-minute 0 --priority 1
    """
    settings = settings_from(config, assignments).settings
    limits = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "tokens_per_day": tokens_per_day,
        "concurrent_requests": concurrent,
        "budget_per_day": budget_per_day,
        "budget_per_30_days": budget_per_30_days,
    }
    others: dict[str, Any] = {
        "note": note and _checked_note(note),
        "weight": weight and finite(weight),
        "priority": priority,
    }
    given = {name: value for name, value in others.items() if value is not None}
    if not given and all(value is None for value in limits.values()):
        raise Failure("nothing to change was given; see podium keys set --help", ExitCode.USAGE)

    async def change(store: KeyStore) -> KeyRecord:
        old = await _find(store, key_id)
        new = msgspec.structs.replace(old, quotas=changed(old.quotas, limits), **given)
        await store.change_rights(new)
        return new

    record = in_key_store(settings, change)
    if as_json:
        output.document(_document(record, time.time()))
    else:
        output.line(f"{record.id} of {record.tenant}: {limits_text(record.quotas) or 'no limits of its own'}")


async def _find(store: KeyStore, key_id: str) -> KeyRecord:
    record = (await store.snapshot()).records.get(_checked(key_id))
    if record is None:
        raise no_such_key()
    return record


def _checked(key_id: str) -> str:
    """``key_id``, if it has an id's shape. A key given in its place must not be repeated, so nothing is."""
    if not _ID.match(key_id):
        raise Failure(
            "a key's id has 16 digits of 0-9 and a-f; give the id, not the key (`podium keys list`)", ExitCode.USAGE
        )
    return key_id


def _checked_note(note: str) -> str:
    if len(note) > MOST_NOTE_CHARACTERS or not note.isprintable():
        raise Failure(f"--note: use at most {MOST_NOTE_CHARACTERS} printable characters", ExitCode.USAGE)
    return note


def _successor(old: KeyRecord, minted: api_keys.MintedKey, now: float) -> KeyRecord:
    expires_at = None if old.expires_at is None else now + (old.expires_at - old.created_at)
    return msgspec.structs.replace(
        old,
        id=minted.id,
        digest=minted.digest,
        created_at=now,
        expires_at=expires_at,
        rotated_from=old.id,
        allowance=old.allowance or old.id,
    )


def _roles(given: Sequence[str] | None) -> tuple[Role, ...]:
    unknown = [name for name in given or () if name not in ROLES]
    if unknown:
        raise Failure(f"--role {unknown[0]}: use {', '.join(ROLES)}", ExitCode.USAGE)
    return tuple(role for role in ROLES if role in (given or ["infer"]))


def _model_names(settings: Settings, given: Sequence[str] | None) -> tuple[str, ...] | None:
    """The models' own names: rights hang on those, and not on aliases."""
    if not given:
        return None
    known = names_of(settings.all_models)
    for name in given:
        if name not in known:
            meant = nearest_word(name, known)
            hint = f"; did you mean {meant}?" if meant else ""
            output.warning(f"--model {name}: no model of that name is configured here{hint}")
    return tuple(dict.fromkeys(known.get(name, name) for name in given))


def _tell(settings: Settings, record: KeyRecord, minted: api_keys.MintedKey, *, as_json: bool) -> None:
    """The one time that a key is printed. On a pipe it stands alone on standard output."""
    if as_json:
        output.document({"id": record.id, "key": minted.text})
        return
    output.line(minted.text)
    base = address(settings.server.host, settings.server.port)
    for words in (
        "",
        f"  id       {record.id}, tenant {record.tenant}, roles {', '.join(record.roles)}",
        "  keep it  it is shown this once; only a digest is stored",
        f'  use it   curl {base}/v1/models -H "Authorization: Bearer $PODIUM_API_KEY"',
        "           the podium command sends it too, from PODIUM_API_KEY or --key-file",
        "",
    ):
        output.note(words)


def _document(record: KeyRecord, now: float) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.structs.asdict(record)
    del shown["digest"]
    quotas = {name: value for name, value in msgspec.structs.asdict(record.quotas).items() if value is not None}
    return {"id": shown.pop("id"), "state": record.state(now), **shown, "quotas": quotas}


def _row(record: KeyRecord, now: float) -> tuple[object, ...]:
    models = "all" if record.models is None else record.models
    limits = limits_text(record.quotas)
    expires = time_text(record.expires_at)
    return record.id, record.tenant, record.roles, models, record.state(now), expires, limits, record.note or None
