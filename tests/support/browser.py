"""A real Chromium that a test drives: over the DevTools protocol, through a pair of pipes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.deadline import until
from support.require import require_program

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",  # reads descriptor 3, writes descriptor 4; messages end with a zero byte
)
_STOP_SECONDS = 20


class BrowserError(AssertionError):
    """The browser refused a command, or a script on the page threw."""


class Page:
    """One tab."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._last_id = 0
        self._pending = b""
        self._session: str | None = None
        self.complaints: list[str] = []
        """What the browser wrote to its console as an error or a warning, policy violations included."""

    def open(self, url: str) -> None:
        """Open a tab at ``url``."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")
        self.command("Page.navigate", url=url)

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of one command of the protocol."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._last_id:
            self._note(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def run(self, script: str) -> Any:
        """The value of an expression on the page; a promise is waited for."""
        done = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise BrowserError(str(done["exceptionDetails"].get("exception", {}).get("description")))
        return done["result"].get("value")

    def text(self, selector: str) -> str:
        """The text of the first element that matches; empty when there is none."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def wait_for(self, what: str, script: str, *, seconds: float = 30.0) -> Any:
        """The value of ``script`` once it is something."""
        return until(what, lambda: self.run(script), seconds=seconds)

    def look(self, *, width: int, dark: bool = False) -> None:
        """Give the window another width, and its owner another taste."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        taste = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[taste])

    def screenshot(self, path: Path, *, height: int = 0) -> None:
        """Write a picture of the whole page, or of its upper ``height`` pixels."""
        part = {}
        if height:
            width = self.run("window.innerWidth")
            part = {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}
        found = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True, **part)
        path.write_bytes(base64.b64decode(found["data"]))

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            piece = os.read(self._from, 1 << 16)
            if not piece:
                raise BrowserError("the browser has ended")
            self._pending += piece
        message, _, self._pending = self._pending.partition(b"\0")
        parsed: dict[str, Any] = json.loads(message)
        return parsed

    def _note(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        if event.get("method") == "Log.entryAdded" and told["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"].get("exception", {}).get("description")))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A browser with a new profile in the folder ``profile``, which ends with the block. Skips without Chromium."""
    chromium = require_program("chromium")
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    shell = f'exec "$@" 3<&{their_in} 4>&{their_out}'
    command = ["/bin/bash", "-c", shell, "browser", chromium, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, pass_fds=(their_in, their_out), stdin=quiet, stdout=quiet, stderr=quiet)
    for descriptor in (their_in, their_out):
        os.close(descriptor)
    page = Page(our_out, our_in)
    try:
        yield page
        page._session = None
        page.command("Browser.close")
        process.wait(_STOP_SECONDS)
    finally:
        process.kill()
        process.wait(_STOP_SECONDS)
        for descriptor in (our_out, our_in):
            os.close(descriptor)
