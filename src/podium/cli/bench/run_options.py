"""The options of ``podium bench run``, in groups, and what they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Api = Literal["completions", "chat", "native", "embeddings", "rerank", "infer"]
Arrivals = Literal["constant", "poisson", "gamma", "ramp", "spike"]

ModelOption = Annotated[str | None, typer.Option("--model", help="Model to ask for; the first that the target lists.")]
ApiOption = Annotated[
    Api,
    typer.Option(
        "--api",
        help="What to speak: OpenAI's completions, chat or embeddings, /generate, /v1/rerank, or /v2 tensors (infer).",
    ),
]
StreamOption = Annotated[
    bool, typer.Option("--stream/--no-stream", help="Ask for whole answers; they have no TTFT, TPOT and ITL.")
]
InputsOption = Annotated[
    int, typer.Option("--inputs", help="Texts of a request: embeddings, documents of a rerank, tensors.", min=1)
]

ConcurrencyOption = Annotated[
    int | None, typer.Option("--concurrency", help="Closed loop: users, each waiting for its answer.", min=1)
]
RateOption = Annotated[
    float | None, typer.Option("--rate", help="Open loop: requests per second, whatever the answers do.", min=0.001)
]
ArrivalsOption = Annotated[Arrivals, typer.Option("--arrivals", help="How an open loop spreads its requests.")]
BurstinessOption = Annotated[
    float, typer.Option("--burstiness", help="Shape of gamma: 1 is Poisson, below 1 comes in bursts.", min=0.01)
]
EndRateOption = Annotated[
    float | None, typer.Option("--end-rate", help="Rate at the end of a ramp; rate within a spike.", min=0.001)
]
StagesOption = Annotated[
    str | None, typer.Option("--stages", help="Poisson rates one after the other.", metavar="RATExSECONDS,...")
]
TraceOption = Annotated[
    Path | None, typer.Option("--trace", help="Times and lengths of a trace: Azure CSV or Mooncake JSONL.")
]
SpeedOption = Annotated[float, typer.Option("--speed", help="Replay a trace that many times as fast.", min=0.001)]
DurationOption = Annotated[str, typer.Option("--duration", help="Of the measured load: 30s, 10m, 2h.")]
OwnDurationOption = Annotated[
    str | None, typer.Option("--duration", help="Of the measured load: 30s, 10m, 2h; a minute if left out.")
]
WarmUpOption = Annotated[str, typer.Option("--warm-up", help="Load before it that is not measured; 0 is none.")]
RequestsOption = Annotated[int | None, typer.Option("--requests", help="Most requests after the warm-up.", min=1)]
ThinkOption = Annotated[float, typer.Option("--think", help="Pause of a user after an answer, in seconds.", min=0.0)]

PromptTokensOption = Annotated[
    str, typer.Option("--prompt-tokens", help="Length of synthetic prompts; 512:64 is normal, std 64.")
]
OutputTokensOption = Annotated[str, typer.Option("--output-tokens", help="Length of answers; 128:32 is normal.")]
PrefixOption = Annotated[
    int, typer.Option("--prefix-tokens", help="Tokens at the start that prompts have in common.", min=0)
]
GroupsOption = Annotated[int, typer.Option("--prefix-groups", help="Different prefixes.", min=1)]
PromptsOption = Annotated[
    Path | None, typer.Option("--prompts", help="Prompts instead of synthetic ones: one a line, or JSONL `prompt`.")
]
ChatsOption = Annotated[Path | None, typer.Option("--chats", help="Conversation starts: JSONL with `messages`.")]
TurnsOption = Annotated[int, typer.Option("--turns", help="Requests of a conversation; needs --api chat.", min=1)]
CancelShareOption = Annotated[
    float, typer.Option("--cancel-share", help="Share of requests to hang up on, 0 to 1.", min=0.0, max=1.0)
]
CancelAfterOption = Annotated[int, typer.Option("--cancel-after", help="Token frames until then.", min=1)]
NaturalStopOption = Annotated[
    bool, typer.Option("--natural-stop", help="Let answers end by themselves, instead of at --output-tokens.")
]
ExtraOption = Annotated[str | None, typer.Option("--extra", help="Members for every request body, as JSON.")]
TokenizerOption = Annotated[
    str, typer.Option("--tokenizer", help="Who counts prompt tokens: auto, route, usage, or a tokenizer.json.")
]

ObjectiveOption = Annotated[
    list[str] | None,
    typer.Option("--objective", help="What a good request keeps, in seconds: ttft, tpot, itl, e2e. May repeat."),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Processes that send; half of the cores if left out.", min=1)
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the schedule and the prompts.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", help="Longest answer, in seconds.", min=0.01)]
MinWindowOption = Annotated[
    str, typer.Option("--min-window", help="Shortest window to be believed; 600s for published figures.")
]
MinSamplesOption = Annotated[int, typer.Option("--min-samples", help="Fewest good requests to be believed.", min=1)]
AllowCachedOption = Annotated[
    bool, typer.Option("--allow-cached", help="Let the server answer from its response cache.")
]
InsecureOption = Annotated[bool, typer.Option("--insecure", help="Do not check the target's certificate.")]
CaFileOption = Annotated[Path | None, typer.Option("--ca-file", help="Certificates to trust, PEM.", exists=True)]
MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        help="The server's metrics, for live view and report; found at the target if left out, `none` asks nobody.",
        metavar="URL",
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="New folder for the results; runs/TIME if left out.", metavar="DIR")
]
