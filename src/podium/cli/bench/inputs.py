"""From what was typed to the parts of a plan."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from podium.bench.dialects import DIALECTS
from podium.bench.plan import OBJECTIVES, Bounds, Length, Load, RunPlan, Target, Timeouts, Workload
from podium.bench.sampling import answers_with_figures
from podium.bench.traces import read_trace
from podium.cli.connection import address, key_from
from podium.cli.durations import seconds_in
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import settings_from
from podium.cli.serving_address import listening_address

MOST_DEFAULT_WORKERS = 4
DEFAULT_DURATION = "60s"

_LENGTH = re.compile(r"(?P<mean>[1-9]\d{0,6})(?::(?P<std>\d+(?:\.\d+)?))?\Z")
_STAGE = re.compile(r"(?P<rate>\d+(?:\.\d+)?)x(?P<seconds>\d+(?:\.\d+)?)s?\Z")
_OBJECTIVE = re.compile(r"(?P<name>[a-z0-9]+)=(?P<seconds>\d+(?:\.\d+)?)s?\Z")


def length_in(text: str, option: str) -> Length:
    """``512`` or ``512:64`` (mean, standard deviation)."""
    match = _LENGTH.match(text)
    if match is None:
        raise Failure(f"{option} {text}: a number of tokens is needed, or MEAN:STD such as 512:64", ExitCode.USAGE)
    return Length(mean=int(match["mean"]), std=float(match["std"] or 0))


def stages_in(text: str) -> list[tuple[float, float]]:
    """``5x30,10x60``."""
    matches = [_STAGE.match(part.strip()) for part in text.split(",")]
    if not all(matches):
        raise Failure(f"--stages {text}: RATExSECONDS is needed, joined by commas: 5x30,10x60", ExitCode.USAGE)
    return [(float(match["rate"]), float(match["seconds"])) for match in matches if match]


def objectives_in(texts: list[str] | None) -> dict[str, float]:
    """``ttft=0.5`` and others."""
    found = {}
    for text in texts or []:
        match = _OBJECTIVE.match(text)
        if match is None or match["name"] not in OBJECTIVES:
            names = ", ".join(OBJECTIVES)
            raise Failure(f"--objective {text}: NAME=SECONDS is needed, with a name of {names}", ExitCode.USAGE)
        found[match["name"]] = float(match["seconds"])
    return found


def plan_from(given: Mapping[str, Any]) -> RunPlan:
    """The plan of the options of ``podium bench run``, by their names; prompts are not prepared yet."""
    key = key_from(given["key_file"])
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    url = target_url(given["url"], given["config"])
    ca = None if given["ca_file"] is None else str(given["ca_file"])
    verify = not given["insecure"]
    timeout = given["timeout"]
    return RunPlan(
        target=Target(
            url=url,
            model=given["model"] or first_model(url, headers, verify=ca or verify),
            dialect=given["api"],
            streamed=given["stream"] and DIALECTS[given["api"]].streams,
            headers=headers,
            verify_tls=verify,
            ca_file=ca,
            allow_cached=given["allow_cached"],
        ),
        load=load_of(given),
        workload=workload_of(given),
        timeouts=Timeouts(total=timeout, headers=min(timeout, 120.0), stall=min(timeout, 60.0)),
        bounds=Bounds(
            least_window_seconds=seconds_in(given["min_window"], "--min-window"), least_samples=given["min_samples"]
        ),
        seed=given["seed"],
        warm_up_seconds=seconds_in(given["warm_up"], "--warm-up"),
        workers=given["workers"] or max(1, min(MOST_DEFAULT_WORKERS, (os.cpu_count() or 2) // 2)),
        objectives=objectives_in(given["objective"]),
    )


def target_url(url: str | None, config: Path | None) -> str:
    """``--url``, else where the configured server listens."""
    if url is None:
        url = listening_address(settings_from(config).settings)
        if url is None:
            raise Failure(
                "nothing listens at the configured address; start a server with `podium serve`, or name one with --url",
                ExitCode.NOT_READY,
            )
    if not url.startswith(("http://", "https://")):
        raise Failure(f"--url {url}: an http:// or https:// address is needed", ExitCode.USAGE)
    if "@" in urlsplit(url).netloc:
        raise Failure(
            "--url: no user and password there, they would be kept with the results; use --key-file", ExitCode.USAGE
        )
    return url.rstrip("/").removesuffix("/v1")


def metrics_urls(given: Mapping[str, Any], url: str) -> list[str]:
    """What ``--metrics`` names; else what answers with known figures at ``url``, or at a configured admin port."""
    if given["metrics"] is not None:
        return [] if given["metrics"] == "none" else [given["metrics"]]
    candidates = [f"{url}/metrics"]
    if given["url"] is None:
        server = settings_from(given["config"]).settings.server
        if server.admin_port and url == address(server.host, server.port):
            candidates.append(f"{address(server.admin_host, server.admin_port)}/metrics")
    return next(([known] for known in candidates if answers_with_figures(known)), [])


def load_of(given: Mapping[str, Any]) -> Load:
    """The one load that the options name."""
    kinds = [name for name in ("concurrency", "rate", "stages", "trace") if given[name] is not None]
    if len(kinds) != 1:
        named = " and ".join(f"--{name}" for name in kinds) or "none of them"
        raise Failure(f"one of --concurrency, --rate, --stages and --trace is needed; given: {named}", ExitCode.USAGE)
    _nothing_for_others(given)
    seconds = seconds_in(given["duration"] or DEFAULT_DURATION, "--duration")
    most = given["requests"]
    match kinds[0]:
        case "concurrency":
            users, think = given["concurrency"], given["think"]
            return Load(kind="closed", seconds=seconds, concurrency=users, think_seconds=think, most_requests=most)
        case "stages":
            stages = stages_in(given["stages"])
            return Load(kind="stages", seconds=sum(length for _, length in stages), stages=stages, most_requests=most)
        case "trace":
            return Load(kind="trace", seconds=seconds, speed=given["speed"], most_requests=most)
    arrivals, end_rate = given["arrivals"], given["end_rate"]
    if (end_rate is None) == (arrivals in {"ramp", "spike"}):
        raise Failure("--end-rate goes with --arrivals ramp and spike, and they need it", ExitCode.USAGE)
    return Load(
        kind=arrivals,
        seconds=seconds,
        rate=given["rate"],
        end_rate=end_rate or given["rate"],
        burstiness=given["burstiness"],
        most_requests=most,
    )


def _nothing_for_others(given: Mapping[str, Any]) -> None:
    """Raises ``Failure`` for an option that this load would not heed."""
    own_length = next((name for name in ("stages", "trace") if given[name] is not None), None)
    for wrong, words in (
        (given["think"] and given["concurrency"] is None, "--think: only the users of --concurrency pause"),
        (given["speed"] != 1 and given["trace"] is None, "--speed goes with --trace"),
        (given["burstiness"] != 1 and given["arrivals"] != "gamma", "--burstiness goes with --arrivals gamma"),
        (given["arrivals"] != "poisson" and given["rate"] is None, "--arrivals goes with --rate"),
        (
            given["duration"] and own_length,
            f"--duration: --{own_length} has a length of its own; --requests ends it earlier",
        ),
    ):
        if wrong:
            raise Failure(words, ExitCode.USAGE)


def workload_of(given: Mapping[str, Any]) -> Workload:
    """The one workload that the options name."""
    trace, prompts, chats = given["trace"], given["prompts"], given["chats"]
    if sum(path is not None for path in (trace, prompts, chats)) > 1:
        raise Failure("--trace, --prompts and --chats exclude each other", ExitCode.USAGE)
    own: dict[str, Any] = {
        "prompt": length_in(given["prompt_tokens"], "--prompt-tokens"),
        "output": length_in(given["output_tokens"], "--output-tokens"),
        "shared_prefix_tokens": given["prefix_tokens"],
        "prefix_groups": given["prefix_groups"],
        "turns_per_conversation": given["turns"],
        "inputs": given["inputs"],
        "ignore_eos": not given["natural_stop"],
        "cancel_share": given["cancel_share"],
        "cancel_after_tokens": given["cancel_after"],
        "extra": _object_in(given["extra"]),
    }
    if trace is not None:
        return Workload(kind="trace", turns=read_trace(trace), **own)
    if prompts is not None:
        return Workload(kind="texts", texts=_prompts_in(prompts), **own)
    if chats is not None:
        return Workload(kind="chats", chats=_chats_in(chats), **own)
    return Workload(**own)


def first_model(url: str, headers: dict[str, str], verify: Any) -> str:
    """The first model that the target lists; "default" where it lists none (the probe then shows what it says)."""
    try:
        answer = httpx.get(f"{url}/v1/models", headers=headers, verify=verify, timeout=10.0, trust_env=False)
        return str(answer.json()["data"][0]["id"])
    except (httpx.HTTPError, OSError, ValueError, KeyError, IndexError, TypeError):
        return "default"


def _object_in(text: str | None) -> dict[str, object]:
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Failure("--extra: a JSON object is needed, such as '{\"top_p\": 0.9}'", ExitCode.USAGE)
    return found


def _lines(path: Path, option: str) -> list[str]:
    try:
        lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{option} {path}: cannot be read as text; check the path", ExitCode.USAGE) from error
    if not lines:
        raise Failure(f"{option} {path}: the file is empty", ExitCode.USAGE)
    return lines


class _Prompt(msgspec.Struct):
    prompt: str


class _Chat(msgspec.Struct):
    messages: list[dict[str, str]]


def _prompts_in(path: Path) -> list[str]:
    lines = _lines(path, "--prompts")
    if path.suffix != ".jsonl":
        return lines
    return [_decoded(line, _Prompt, path, number).prompt for number, line in enumerate(lines, start=1)]


def _chats_in(path: Path) -> list[list[dict[str, str]]]:
    lines = _lines(path, "--chats")
    return [_decoded(line, _Chat, path, number).messages for number, line in enumerate(lines, start=1)]


def _decoded(line: str, kind: type[Any], path: Path, number: int) -> Any:
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError as error:
        raise Failure(f"{path}, line {number}: {error}", ExitCode.USAGE) from error
