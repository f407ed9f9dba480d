from __future__ import annotations

import json

from msgspec import to_builtins

from podium.protocols.native import LoadAnswer, MemoryBody, ModelBody, ModelsAnswer, UnloadAnswer
from support.command import Command
from support.fake_server import Canned, fake_server
from support.ports import free_port

DEMO = ModelBody(
    name="demo",
    version="1",
    aliases=["small"],
    state="ready",
    task="generate",
    engine="openvino",
    path="builtin:demo",
    loaded_at=1.0,
    request_count=3,
    max_model_len=512,
    memory_bytes=120_000_000,
    default=True,
    progress=None,
    error=None,
)
MODELS = Canned(to_builtins(ModelsAnswer(models={"demo": DEMO}, total_models=1)))
LOADED = Canned(
    to_builtins(LoadAnswer(message="ready", model="demo", version="1", load_seconds=1.25, memory_bytes=120_000_000))
)
MEMORY = MemoryBody(before_bytes=100_000_000, loaded_bytes=220_000_000, after_bytes=101_000_000)
UNLOADED = Canned(to_builtins(UnloadAnswer(message="unloaded", model="demo", version="1", memory=MEMORY)))


def test_the_list_shows_state_engine_and_memory(command: Command) -> None:
    with fake_server({"GET /models": MODELS}) as server:
        ended = command("models", "list", "--url", server.url)
    assert ended.out.splitlines()[1].split() == [
        "demo", "1", "generate", "ready", "openvino", "120.0", "MB", "3", "small", "-"
    ]  # fmt: skip


def test_the_list_as_json_is_what_the_server_said(command: Command) -> None:
    with fake_server({"GET /models": MODELS}) as server:
        assert json.loads(command("models", "list", "--url", server.url, "--json").out) == MODELS.body


def test_loading_tells_how_long_it_took(command: Command) -> None:
    with fake_server({"GET /models": MODELS, "POST /models/demo/load": LOADED}) as server:
        ended = command("models", "load", "demo", "--url", server.url)
    assert ended.out == "demo is ready after 1.2 s, memory 120.0 MB\n"
    assert ended.err == "loading demo\n"


def test_unloading_tells_what_memory_came_back(command: Command) -> None:
    with fake_server({"POST /models/demo/unload": UNLOADED}) as server:
        ended = command("models", "unload", "demo", "--url", server.url)
    assert ended.out == "demo is unloaded; memory 220.0 MB -> 101.0 MB (before loading: 100.0 MB)\n"


def test_a_name_with_a_slash_and_a_version_reaches_the_server_as_it_is(command: Command) -> None:
    with fake_server({"POST /models/owner/name@2/unload": UNLOADED}) as server:
        assert command("models", "unload", "owner/name@2", "--url", server.url).status == 0


def test_a_model_that_cannot_be_loaded_is_told_with_the_servers_words(command: Command) -> None:
    refused = Canned({"error": {"code": "checkpoint_unsafe", "message": "Pickled.", "request_id": "r1"}}, 500)
    with fake_server({"GET /models": MODELS, "POST /models/demo/load": refused}) as server:
        ended = command("models", "load", "demo", "--url", server.url)
    assert ended.status == 1
    assert ended.err.endswith("error: Pickled. [checkpoint_unsafe, r1]\n")


def test_without_a_server_the_list_ends_with_3(command: Command) -> None:
    assert command("models", "list", "--set", "x=1").status == 2
    assert command("models", "list", "--url", f"http://127.0.0.1:{free_port()}").status == 3


def test_what_is_pulled_must_be_a_hub_id(command: Command) -> None:
    ended = command("models", "pull", "builtin:demo")
    assert ended.status == 2
    assert "a hub id such as owner/name is needed" in ended.err
