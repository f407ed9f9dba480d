"""Every example of docs/clients.md runs as it stands, through the released client that it imports."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.testing.server_process import ServerProcess, server_process

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
NAMES = [re.search(r"(?:import|from) (\w+)", example)[1] for example in EXAMPLES]  # type: ignore[index]
ADDRESS, GRPC_ADDRESS = "127.0.0.1:8080", "127.0.0.1:8002"
TASKS = {"minilm": "embed", "mood": "classify", "ranker": "rerank"}
CALLING = "{% if tools %}{# <tool_call> #}{% endif %}" + '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The demo model, a model that calls a tool whatever it is asked, and one for each task that the page asks for."""
    template = tmp_path_factory.mktemp("template") / "calling.jinja"
    template.write_text(CALLING, "utf-8")
    qwen = {"name": "qwen", "source": "none", "engine": "echo", "chat_template_file": str(template)}
    tasks = [{"name": name, "source": "none", "task": task, "engine": "echo"} for name, task in TASKS.items()]
    demo = {"name": "demo", "source": "builtin:demo"}
    batches = {"folder": str(tmp_path_factory.mktemp("batches"))}
    with server_process(demo, qwen, *tasks, batches=batches, server={"grpc_port": 0}) as running:
        yield running


def test_every_client_that_is_promised_has_an_example() -> None:
    assert set(NAMES) >= {"podium", "openai", "anthropic", "ollama", "numpy", "huggingface_hub", "httpx"}
    assert "tritonclient" in "".join(EXAMPLES)


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=NAMES)
def test_the_example_runs_and_prints_something(number: int, server: ServerProcess) -> None:
    record = server.logged("listening")
    assert record is not None
    program = EXAMPLES[number].replace(ADDRESS, server.traffic.removeprefix("http://"))
    program = program.replace(GRPC_ADDRESS, record["grpc"])
    assert program != EXAMPLES[number]
    ran = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()
    if "tools=" in program:
        assert ran.stdout.strip() == 'weather {"city": "Oslo"}'
