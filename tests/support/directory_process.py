"""A process that follows a key store and says on standard output when it sees a key end.

Arguments: ``sqlite PATH`` or ``redis URL``, and the refresh interval in seconds. Ends when its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from podium.access.key_directory import KeyDirectory
from podium.access.key_store import KeyStore
from podium.access.redis_keys import RedisKeyStore
from podium.access.sqlite_keys import SqliteKeyStore
from podium.config.redis import Redis
from podium.store.link import RedisLink

_LOOK_SECONDS = 0.002


@dataclass
class DirectoryProcess:
    """The other process, as a test sees it: when it saw which key end, in Unix seconds."""

    process: subprocess.Popen[str]
    loaded: threading.Event = field(default_factory=threading.Event)
    seen: dict[str, float] = field(default_factory=dict)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "loaded" in said:
                self.loaded.set()
            else:
                self.seen[said["id"]] = said["at"]


@contextmanager
def directory_process(kind: str, place: str, refresh_seconds: float) -> Iterator[DirectoryProcess]:
    """Run one until the block ends; the block begins when it has read the store."""
    path = [str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    command = [sys.executable, "-m", "support.directory_process", kind, place, str(refresh_seconds)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        other = DirectoryProcess(process)
        reader = threading.Thread(target=other.read, name="directory process")
        reader.start()
        try:
            assert other.loaded.wait(20), "the other process did not read the store"
            yield other
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
            reader.join()


async def _follow(kind: str, place: str, refresh_seconds: float) -> None:
    link = RedisLink(Redis(url=place)) if kind == "redis" else None
    store: KeyStore = SqliteKeyStore(Path(place)) if link is None else RedisKeyStore(link.for_purpose("keys"))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    told: set[str] = set()
    async with KeyDirectory(store, refresh_seconds) as directory:
        _say({"loaded": directory.loaded})
        while not ended.is_set():
            for key_id, record in directory.records.items():
                if record.revoked_at is not None and key_id not in told:
                    told.add(key_id)
                    _say({"id": key_id, "at": time.time()})
            await asyncio.sleep(_LOOK_SECONDS)
    if link is not None:
        await link.aclose()


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_follow(sys.argv[1], sys.argv[2], float(sys.argv[3])))
