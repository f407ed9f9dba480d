"""How an alert is told in the words of each kind of receiver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from podium.monitor.alerts import Episode

Kind = Literal["generic", "alertmanager", "alertmanager-api", "slack"]

REPEAT_SECONDS = 60.0
"""How often Alertmanager's API is told what still fires."""
EXPIRES_SECONDS = 240.0
"""Without being told again, it is over for Alertmanager after so long: four times as long, as with Prometheus."""
_NO_END = "0001-01-01T00:00:00Z"  # how Alertmanager writes that an alert goes on
_COLOURS = {"page": "#b3261e", "ticket": "#b26a00"}
_GOOD_COLOUR = "#1d7a3f"


def message(kind: Kind, episodes: Sequence[Episode], *, now: float) -> bytes:
    """The body of a message; only ``alertmanager-api`` can hold several episodes. ``now`` is seconds since 1970."""
    if kind == "alertmanager-api":
        return msgspec.json.encode([_posted(episode, now) for episode in episodes])
    (episode,) = episodes
    return msgspec.json.encode(_SHAPES[kind](episode))


def delivery(episode: Episode) -> str:
    """A name for what is told: the same in every repetition of it, and of nothing else."""
    return f"{episode.alert.fingerprint}-{episode.fired_at:.0f}-{status(episode)}"


def status(episode: Episode) -> str:
    """``firing`` or ``resolved``."""
    return "firing" if episode.ended_at is None else "resolved"


def _generic(episode: Episode) -> dict[str, Any]:
    alert = episode.alert
    return {
        "status": status(episode),
        "end": episode.end,
        "rule": alert.rule,
        "severity": alert.severity,
        "subject": alert.subject,
        "sentence": alert.sentence,
        "value": alert.value,
        "fingerprint": alert.fingerprint,
        "fired_at": episode.fired_at,
        "ended_at": episode.ended_at,
    }


def _alertmanager(episode: Episode) -> dict[str, Any]:
    """Version 4 of Alertmanager's webhook, one alert in a group of its own."""
    alert = episode.alert
    labels, annotations = _labels(episode), {"summary": alert.sentence}
    one = {
        "status": status(episode),
        "labels": labels,
        "annotations": annotations,
        "startsAt": _moment(episode.fired_at),
        "endsAt": _NO_END if episode.ended_at is None else _moment(episode.ended_at),
        "generatorURL": "",
        "fingerprint": alert.fingerprint,
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{alert.rule}", subject="{alert.subject}"}}',
        "truncatedAlerts": 0,
        "status": status(episode),
        "receiver": "podium",
        "groupLabels": {"alertname": alert.rule, "subject": alert.subject},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [one],
    }


def _posted(episode: Episode, now: float) -> dict[str, Any]:
    """An entry of ``POST /api/v2/alerts``. Where the clock was set back, none ends before it begins: it takes none."""
    latest = now if episode.ended_at is None else episode.ended_at
    return {
        "labels": _labels(episode),
        "annotations": {"summary": episode.alert.sentence},
        "startsAt": _moment(min(episode.fired_at, latest)),
        "endsAt": _moment(now + EXPIRES_SECONDS if episode.ended_at is None else episode.ended_at),
    }


def _slack(episode: Episode) -> dict[str, Any]:
    """A message of Slack's incoming webhooks: a line for notifications, and a block with a coloured edge."""
    alert, over = episode.alert, episode.ended_at is not None
    ending = "its data ended" if episode.end == "no data" else "resolved"
    title = f"{ending if over else 'firing'}: {_plain(alert.rule)} {_plain(alert.subject)}"
    block = {"type": "section", "text": {"type": "mrkdwn", "text": f"*{title}*\n{_plain(alert.sentence)}"}}
    when = f"<!date^{episode.fired_at:.0f}^{{date_num}} {{time_secs}}|{_moment(episode.fired_at)}>"
    context = {"type": "context", "elements": [{"type": "mrkdwn", "text": f"{alert.severity} · since {when}"}]}
    colour = _GOOD_COLOUR if over else _COLOURS[alert.severity]
    return {"text": title, "attachments": [{"color": colour, "blocks": [block, context]}]}


def _plain(text: str) -> str:
    """Text that Slack shows as it is: nothing in it mentions somebody or links anywhere."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _labels(episode: Episode) -> dict[str, str]:
    alert = episode.alert
    return {"alertname": alert.rule, "subject": alert.subject, "severity": alert.severity}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SHAPES: dict[Kind, Callable[[Episode], dict[str, Any]]] = {
    "generic": _generic,
    "alertmanager": _alertmanager,
    "slack": _slack,
}
