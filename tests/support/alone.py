"""Run inside a new network namespace: a Redis and a server on loopback, one request, and what tried to leave.

``python alone.py PODIUM_YAML PORT ADMIN_PORT REDIS_PORT`` prints one line of JSON.
"""

from __future__ import annotations

import fcntl
import json
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _UP = 0x8913, 0x8914, 0x1
_WAIT_SECONDS = 90.0


def raise_loopback() -> None:
    """A new namespace has a loopback that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        name, flags, rest = struct.unpack("16sH14s", fcntl.ioctl(asking, _SIOCGIFFLAGS, request))
        fcntl.ioctl(asking, _SIOCSIFFLAGS, struct.pack("16sH14s", name, flags | _UP, rest))


def without_a_route() -> int:
    """Packets so far that were meant for another machine."""
    found = 0
    lines = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:")]
    found += int(dict(zip(*lines, strict=True))["OutNoRoutes"])
    for line in Path("/proc/net/snmp6").read_text().splitlines():
        name, value = line.split()
        found += int(value) if name == "Ip6OutNoRoutes" else 0
    return found


def ask(url: str, body: dict[str, Any] | None = None) -> bytes | None:
    """The answer, or None."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310 - of this machine
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content
    except OSError:
        return None


def main(config: str, port: str, admin_port: str, redis_port: str) -> None:
    """Do everything and print what came out."""
    raise_loopback()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    redis = subprocess.Popen(["redis-server", "--port", redis_port, "--save", ""], **quiet)  # type: ignore[call-overload] # noqa: S607
    server = subprocess.Popen([sys.executable, "-m", "podium", "serve", "--config", config], stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + _WAIT_SECONDS
        while ask(f"http://127.0.0.1:{admin_port}/readyz") is None and time.monotonic() < end and server.poll() is None:
            time.sleep(0.1)
        body = {"model": "demo", "prompt": "The server", "max_tokens": 4, "temperature": 0}
        answer = ask(f"http://127.0.0.1:{port}/v1/completions", body)
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=60)
        seen = without_a_route()
        with socket.socket() as outward:
            outward.connect_ex(("192.0.2.1", 80))
        print(  # noqa: T201 - the result
            json.dumps(
                {
                    "status": server.returncode,
                    "answer": json.loads(answer) if answer else said.decode()[-2000:],
                    "left": seen,
                    "left_after_one_try": without_a_route(),
                }
            )
        )
    finally:
        server.kill()
        redis.kill()
        redis.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
