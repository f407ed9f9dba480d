"""Every way to ask for a generation over HTTP."""

from __future__ import annotations

from typing import Any

CHAT = {"messages": [{"role": "user", "content": "hi"}]}

WHOLE: dict[str, tuple[str, dict[str, Any]]] = {
    "generate": ("/generate", {"prompt": "hi"}),
    "batch_generate": ("/batch_generate", {"prompts": ["hi"]}),
    "chat": ("/v1/chat/completions", CHAT),
    "completions": ("/v1/completions", {"prompt": "hi"}),
}
STREAMED: dict[str, tuple[str, dict[str, Any]]] = {
    name: (path, {**body, "stream": True}) for name, (path, body) in WHOLE.items() if name != "batch_generate"
}
CALLS = WHOLE | {f"{name}, streamed": call for name, call in STREAMED.items()}
SEVERAL: dict[str, tuple[str, dict[str, Any]]] = {
    "three to batch_generate": ("/batch_generate", {"prompts": ["a", "b", "c"]}),
    "three to completions": ("/v1/completions", {"prompt": ["a", "b", "c"]}),
    "three to completions, streamed": ("/v1/completions", {"prompt": ["a", "b", "c"], "stream": True}),
}
EVERY = CALLS | SEVERAL
