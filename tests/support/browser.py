"""A headless Chromium, driven over a pipe with the DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/: JSON messages, each ended by a zero byte; `--remote-debugging-pipe`
reads commands from descriptor 3 and writes answers and events to descriptor 4. So there is no port, and nothing to
install beside Debian's package.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ON_3_AND_4 = """
import os, sys
reads, writes = int(sys.argv[1]), int(sys.argv[2])
os.dup2(reads, 30), os.dup2(writes, 31)
os.dup2(30, 3), os.dup2(31, 4)
os.closerange(5, 64)
os.execv(sys.argv[3], sys.argv[3:])
"""
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # the tests run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-default-browser-check",
    "--remote-debugging-pipe",
)
PATIENCE = 60.0
"""Seconds for one answer, on a machine that has other things to do."""


def missing_chromium() -> str:
    """Why there is no browser here; empty if there is one."""
    return "" if shutil.which("chromium") else "chromium is not installed (tests/cluster/packages.txt)"


@dataclass(frozen=True)
class Seen:
    """What a page did while it was open."""

    requests: tuple[str, ...]
    """URLs, the page's own not among them."""
    complaints: tuple[str, ...]
    """Messages of the console and the log, and exceptions."""


@dataclass
class Browser:
    """One tab. Every `open` begins anew."""

    _reads: int
    _writes: int
    _session: str = ""
    _last: int = 0
    _pending: bytes = b""
    _events: list[dict[str, Any]] = field(default_factory=list)

    def start(self) -> None:
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")

    def look(self, *, width: int, height: int = 800, scheme: str = "light", media: str = "") -> None:
        """The window's size in CSS pixels (a telephone's is one with touch), and what the reader prefers."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", media=media, features=features)

    def open(self, url: str) -> Seen:
        """Loads a page and waits until it is loaded."""
        self._events.clear()
        frame = self._call("Page.navigate", url=url)
        assert "errorText" not in frame, frame
        self._wait("Page.loadEventFired")
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return Seen(
            requests=tuple(
                event["params"]["request"]["url"]
                for event in self._of("Network.requestWillBeSent")
                if event["params"]["request"]["url"] != url
            ),
            complaints=tuple(
                json.dumps(event["params"])
                for event in self._of("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
            ),
        )

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is on the page, awaited if it is a promise."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """A key of the keyboard: Tab, Enter."""
        codes = {"Tab": 9, "Enter": 13}
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self._call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=codes[key], **text)

    def accessibility(self) -> list[dict[str, str]]:
        """What assistive technology is told: role and name of every node, in the order of the page."""
        nodes = {node["nodeId"]: node for node in self._call("Accessibility.getFullAXTree")["nodes"]}
        told, pending = [], [next(iter(nodes))]
        while pending:
            node = nodes[pending.pop()]
            pending += reversed(node.get("childIds", ()))
            if not node["ignored"]:
                told.append({"role": node["role"]["value"], "name": node.get("name", {}).get("value", "")})
        return told

    def picture(self, path: Path) -> None:
        """The whole page as PNG, not only what fits into the window."""
        answer = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _of(self, *methods: str) -> list[dict[str, Any]]:
        return [event for event in self._events if event["method"] in methods]

    def _wait(self, method: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._of(method):
            self._events.append(self._message(deadline))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        command = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        data = json.dumps(command).encode() + b"\0"
        while data:
            data = data[os.write(self._writes, data) :]
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self._message(deadline)
            if message.get("id") == self._last:
                assert "error" not in message, f"{method}: {message['error']}"
                answer: dict[str, Any] = message["result"]
                return answer
            if "method" in message:
                self._events.append(message)

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._reads], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            data = os.read(self._reads, 1 << 20)
            if not data:
                raise EOFError("the browser has ended")
            self._pending += data
        first, self._pending = self._pending.split(b"\0", 1)
        message: dict[str, Any] = json.loads(first)
        return message


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own, ended and removed afterwards."""
    program = shutil.which("chromium")
    assert program is not None, missing_chromium()
    commands_read, commands = os.pipe()
    answers, answers_write = os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        environment = {**os.environ, "HOME": profile, "XDG_RUNTIME_DIR": profile}
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", _ON_3_AND_4, str(commands_read), str(answers_write)),
                *(program, *_FLAGS, f"--user-data-dir={profile}/profile", "about:blank"),
            ],
            pass_fds=(commands_read, answers_write),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            os.close(commands_read)
            os.close(answers_write)
            opened = Browser(_reads=answers, _writes=commands)
            opened.start()
            yield opened
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(commands)
            os.close(answers)
