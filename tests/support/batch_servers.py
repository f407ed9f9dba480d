"""Two real servers that share a folder and keys."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai

from podium.access.key_record import KeyRecord
from podium.access.sqlite_keys import SqliteKeyStore
from podium.testing.server_process import ServerProcess
from support.keys import new_key

MODELS: tuple[dict[str, Any], ...] = (
    {"name": "echo", "source": "none", "engine": {"kind": "echo", "faults": True}},
    {"name": "slow", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 0.05}},
    {"name": "vectors", "source": "none", "task": "embed", "engine": {"kind": "echo"}},
)
FILE_BYTES = 20 * 1024**2


@dataclass
class Servers:
    """Two servers behind which are one set of keys and one folder."""

    here: ServerProcess
    there: ServerProcess
    database: Path
    folder: Path
    clients: list[openai.OpenAI] = field(default_factory=list)

    def client(self, text: str, server: ServerProcess | None = None) -> openai.OpenAI:
        """The official client with a key; closed with the servers."""
        url = f"{(server or self.here).traffic}/v1"
        self.clients.append(openai.OpenAI(base_url=url, api_key=text, max_retries=0))
        return self.clients[-1]

    def key(self, **members: Any) -> tuple[str, KeyRecord]:
        """A new key's text and record, known to both servers soon."""
        text, record = new_key(**members)
        self._change(lambda store: store.add(record))
        return text, record

    def revoke(self, record: KeyRecord) -> None:
        """End a key."""
        self._change(lambda store: store.revoke(record.id, 1.0))

    def _change(self, change: Any) -> None:
        async def run() -> None:
            store = SqliteKeyStore(self.database)
            try:
                await change(store)
            finally:
                await store.aclose()

        asyncio.run(run())
