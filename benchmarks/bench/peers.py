"""The other load testers, each in an environment of its own, driven against the same no-op server."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

INSTALL_SECONDS = 1800
RUN_MARGIN_SECONDS = 180


def python_of(package: str, given: str, folder: Path) -> Path:
    """The interpreter that has ``package``: the one that was given, or one of an environment that is made here."""
    if given:
        return Path(given)
    python = folder / package / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / package)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", package], check=True, timeout=INSTALL_SECONDS)
    return python


def guidellm(python: Path, url: str, tokenizer: Path, users: int, seconds: float, tokens: int) -> list[str]:
    """A closed loop in the words of guidellm 0.8."""
    return [
        str(python.with_name("guidellm")),
        *("run", "--disable-console", "--output", "kind=json,path=out.json"),
        *("--backend", f"kind=openai_http,target={url},model=noop,request_format=/v1/completions"),
        *("--profile", f"kind=concurrent,streams={users}", "--constraint", f"kind=max_duration,seconds={int(seconds)}"),
        *("--tokenizer", f"kind=hf_auto,model={tokenizer}"),
        *("--data", f"kind=synthetic_text,prompt_tokens=16,output_tokens={tokens}"),
    ]


def aiperf(python: Path, url: str, tokenizer: Path, users: int, seconds: float, tokens: int) -> list[str]:
    """AIPerf's command for a closed loop."""
    return [
        str(python.with_name("aiperf")),
        *("profile", "-m", "noop", "--tokenizer", str(tokenizer), "--url", url, "--endpoint-type", "completions"),
        *("--streaming", "--concurrency", str(users), "--benchmark-duration", str(int(seconds)), "--ui", "simple"),
        *("--synthetic-input-tokens-mean", "16", "--synthetic-input-tokens-stddev", "0"),
        *("--output-tokens-mean", str(tokens), "--output-tokens-stddev", "0"),
    ]


COMMANDS: dict[str, Callable[[Path, str, Path, int, float, int], list[str]]] = {"guidellm": guidellm, "aiperf": aiperf}


def run(command: list[str], seconds: float) -> str:
    """Run a peer in an empty folder; the end of what it said when it failed, "" when it did not."""
    with tempfile.TemporaryDirectory(prefix="podium-peer-") as folder:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=seconds + RUN_MARGIN_SECONDS,
            env={"PATH": "/usr/bin:/bin", "HOME": folder, "NO_COLOR": "1"},
            check=False,
        )
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[-2000:]
