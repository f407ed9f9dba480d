"""The group ``podium rollout``."""

from __future__ import annotations

import typer

from podium.cli.rollout.decisions import abort, approve, promote
from podium.cli.rollout.events import events
from podium.cli.rollout.explain import explain
from podium.cli.rollout.history import history
from podium.cli.rollout.judge import judge
from podium.cli.rollout.plan import plan
from podium.cli.rollout.replay import replay
from podium.cli.rollout.start import start
from podium.cli.rollout.status import status
from podium.cli.rollout.verify_log import verify_log

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Let a new version take over from the old one, with proof, and take it back when it is worse.\n\n"
    "\b\nExamples:\n"
    "  podium rollout plan green\n"
    "  podium rollout start green\n"
    "  podium rollout explain\n"
    "  podium rollout judge counts.csv --share 0.1",
)
app.command("plan", short_help="Show what a start would do.")(plan)
app.command("start", short_help="Start a rollout and watch it.")(start)
app.command("status", short_help="Show where it stands.")(status)
app.command("explain", short_help="Say why it stands there, and what you can do.")(explain)
app.command("approve", short_help="Let a held rollout go on.")(approve)
app.command("abort", short_help="Take all traffic from the canary.")(abort)
app.command("promote", short_help="Send all traffic to the canary, without proof.")(promote)
app.command("history", short_help="List all rollouts.")(history)
app.command("events", short_help="List what happened.")(events)
app.command("replay", short_help="Judge a rollout of the past by another policy.")(replay)
app.command("verify-log", short_help="Check that a history was not changed.")(verify_log)
app.command("judge", short_help="Judge a canary from recorded counts.")(judge)
