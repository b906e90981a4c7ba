"""A headless Chromium, driven over its debugging port, and a server of a folder on the loopback.

    with Browser() as browser, serve(folder) as address:
        page = browser.open(f"{address}/index.html", width=390, height=844, dark=True)
        page.evaluate("document.title")
        page.screenshot(path)
        page.complaints  # failed or outgoing requests, errors in the console

Tests of any page use it: nothing here knows the site.
"""

from __future__ import annotations

import base64
import functools
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import websocket  # of websocket-client

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARROWS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}  # key codes
SECONDS = 120  # that anything may take, on a machine that does much else
LEFT = ("navigated or closed", "context was destroyed", "Cannot find context", "Promise was collected", "Not attached")


class BrowserError(Exception):
    """Chromium could not be started, or did not answer, or the page raised an error."""


class Navigated(BrowserError):
    """The page was left for another one before it had answered."""


def executable() -> str:
    """Where Chromium is: MINIDL_BROWSER, or its usual names."""
    found = os.environ.get("MINIDL_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise BrowserError(f"no browser: none of {', '.join(NAMES)} is installed (Debian: apt-get install chromium)")
    return found


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder of files; gives "http://127.0.0.1:PORT"."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Browser:
    """One Chromium with a profile of its own, which goes with it."""

    def __enter__(self) -> Browser:
        self._profile = tempfile.TemporaryDirectory(prefix="minidl-browser-", ignore_cleanup_errors=True)
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--no-first-run",
            "--no-default-browser-check", "--remote-debugging-port=0", f"--user-data-dir={self._profile.name}",
            "about:blank",
        ]  # fmt: skip
        self._log = open(Path(self._profile.name) / "log", "w+")
        self._process = subprocess.Popen([executable(), *options], stdout=self._log, stderr=self._log)
        self._port = self._find_port()
        return self

    def _find_port(self) -> int:
        announced = Path(self._profile.name) / "DevToolsActivePort"
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            if announced.is_file() and (text := announced.read_text()):
                return int(text.splitlines()[0])
            time.sleep(0.05)
        log = Path(self._profile.name, "log").read_text()[-2000:]
        self.__exit__()
        raise BrowserError(f"Chromium did not open its debugging port:\n{log}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._profile.cleanup()

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Page:
        """Open a page in a tab of its own, and wait until it has loaded and asks for nothing more."""
        host = f"http://127.0.0.1:{self._port}"
        request = urllib.request.Request(f"{host}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            target = json.load(answer)
        page = Page(target["webSocketDebuggerUrl"], f"{host}/json/close/{target['id']}", width, height, dark)
        page.go(url)
        return page


class Page:
    """A tab: what it was asked to do, and what it asked for.

    Attributes
    ----------
    requests : list of str
        The addresses that it asked for, but data: and blob:.
    complaints : list of str
        Requests that failed, or that went anywhere but to the server of the page itself, and errors of scripts.
    """

    def __init__(self, address: str, closes: str, width: int, height: int, dark: bool):
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._origin = ""
        self._asked: dict[str, str] = {}  # requests under way
        self._loaded = False
        self._last_number = 0
        self._closes = closes
        self._socket = websocket.create_connection(address, timeout=SECONDS, suppress_origin=True)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)
        self.prefer(dark)

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()
        with urllib.request.urlopen(self._closes, timeout=SECONDS):  # the browser closes it, even between two pages
            pass

    def resize(self, width: int, height: int) -> None:
        self._width = width
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, dark: bool) -> None:
        """Tell the page that its reader prefers the dark colours, or the light ones."""
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[theme])

    def overflow(self) -> int:
        """How many pixels the page is wider than the screen; a phone zooms out, so that innerWidth does not tell."""
        return max(0, self.evaluate("document.documentElement.scrollWidth") - self._width)

    def go(self, url: str) -> None:
        self._loaded, self._origin = False, "/".join(url.split("/")[:3])
        self._asked.clear()
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError(f"{url}: {answer['errorText']}")
        self.wait(lambda: self._loaded, f"{url} to load")
        self.settle()

    def settle(self) -> None:
        """Wait until no request has been under way for a moment."""
        quiet_since = time.monotonic()
        end = quiet_since + SECONDS
        while time.monotonic() - quiet_since < 0.2:
            self._listen(0.05)
            if self._asked:
                quiet_since = time.monotonic()
            if time.monotonic() > end:
                raise BrowserError(f"still waiting for {', '.join(self._asked.values())}")

    def wait(self, condition: Any, what: str) -> Any:
        """Wait until `condition()`, or the expression `condition` in the page, is true; gives its value."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with suppress(Navigated):  # the next page is asked
                if value := self.evaluate(condition) if isinstance(condition, str) else condition():
                    return value
            self._listen(0.05)
        raise BrowserError(f"waited {SECONDS} s for {what}")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, shift: bool = False) -> None:
        code = {"Tab": 9, "Enter": 13, "Escape": 27, **ARROWS}[key]
        text = "\r" if key == "Enter" else ""
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text, "modifiers": 8 if shift else 0}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **pressed)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """`kind`: mousePressed, mouseMoved or mouseReleased, of the left button."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Write what is seen as PNG; `whole`: the page down to its end."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the browser for something, by the name that the DevTools protocol gives it."""
        self._last_number += 1
        number = self._last_number
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            message = self._listen(1.0)
            if message and message.get("id") == number:
                if "error" in message:
                    reason = message["error"]["message"]
                    raise (Navigated if any(map(reason.__contains__, LEFT)) else BrowserError)(f"{method}: {reason}")
                return message["result"]
        raise BrowserError(f"{method}: no answer in {SECONDS} s")

    def _listen(self, seconds: float) -> dict[str, Any] | None:
        self._socket.settimeout(seconds)
        try:
            message = json.loads(self._socket.recv())
        except (TimeoutError, websocket.WebSocketTimeoutException):
            return None
        if "method" in message:
            self._note(message["method"], message["params"])
        return message

    def _note(self, event: str, details: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            url = details["request"]["url"]
            if url.startswith(("data:", "blob:", "about:")):
                return
            self._asked[details["requestId"]] = url
            self.requests.append(url)
            if not url.startswith(f"{self._origin}/"):
                self.complaints.append(f"outgoing request: {url}")
        elif event == "Network.responseReceived" and details["response"]["status"] >= 400:
            self.complaints.append(f"{details['response']['status']}: {details['response']['url']}")
        elif event == "Network.loadingFinished":
            self._asked.pop(details["requestId"], None)
        elif event == "Network.loadingFailed":
            url = self._asked.pop(details["requestId"], "a request")
            if not details.get("canceled"):
                self.complaints.append(f"{url}: {details['errorText']}")
        elif event == "Runtime.exceptionThrown":
            thrown = details["exceptionDetails"]
            self.complaints.append(f"error: {thrown.get('exception', {}).get('description', thrown['text'])}")
        elif event == "Log.entryAdded" and details["entry"]["level"] == "error":
            self.complaints.append(f"console: {details['entry']['text']} {details['entry'].get('url', '')}")
