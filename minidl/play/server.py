"""The server of the page, which answers this machine only: GET / is the page, POST /look the network's answer."""

from __future__ import annotations

import base64
import binascii
import io
import json
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

import numpy as np

from minidl.play.look import look
from minidl.recipes import TrainedClassifier
from minidl.serialization import json_text

LARGEST = 4_000_000  # bytes of a request: a picture of some megapixels
LOOPBACK = "127.0.0.1"
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:"


def make_server(classifier: TrainedClassifier, port: int = 0) -> ThreadingHTTPServer:
    """A server of the page on the loopback interface; ``server.serve_forever()`` runs it.

    Parameters
    ----------
    classifier : TrainedClassifier
        Of `recipes.load_classifier`.
    port : int
        0 takes a free one, which ``server.server_port`` names.

    Raises
    ------
    ValueError
        Where it is no port, or is taken.
    """
    page = files("minidl.play").joinpath("page.html").read_text(encoding="utf-8")
    facts = {"recipe": classifier.recipe, "classes": classifier.classes, **classifier.saved.info["input"]}
    try:
        server = Server((LOOPBACK, port), Handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise ValueError(f"port {port} cannot be used: {reason}; 0 takes a free one") from error
    server.page = page.replace("{{facts}}", json.dumps(facts).replace("<", "\\u003c"))
    server.classifier = classifier
    server.one_look_at_a_time = threading.Lock()  # a look puts hooks on the layers of the network
    return server


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error, unless the connection has ended: the page was closed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers GET / with the page and POST /look with what the network makes of a picture; see `make_server`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self._addressed_here():
            return
        if self.path == "/":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page.encode())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no {self.path} here, only /")

    def do_POST(self) -> None:
        if not self._addressed_here():
            return
        if self.path != "/look":
            return self._refuse(HTTPStatus.NOT_FOUND, f"there is no {self.path} here, only /look")
        origin = self.headers.get("Origin")
        if origin not in (None, f"http://{self.headers['Host']}"):
            return self._refuse(HTTPStatus.FORBIDDEN, f"only the page of this server may ask, not {origin!r}")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > len(str(LARGEST)) or int(length) > LARGEST:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a picture takes at most {LARGEST:,} bytes")
        try:
            pixels = read_question(self.rfile.read(int(length)))
            with self.server.one_look_at_a_time:
                result = look(self.server.classifier, pixels)
        except ValueError as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        self._answer(HTTPStatus.OK, "application/json", json_text(result).encode())

    def _addressed_here(self) -> bool:
        """Whether the request names this machine's own address, not a host name that a foreign page points here."""
        host = self.headers.get("Host", "").partition(":")[0]  # port 80 is not named
        if host in (LOOPBACK, "localhost"):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, f"the host must be {LOOPBACK} or localhost, got {host!r}")
        return False

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.close_connection = True  # what is left of the request stays unread
        self._answer(status, "application/json", json.dumps({"error": reason}).encode())

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY}
        for name, value in (headers | {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing: there is a request for every stroke of the pen."""


def read_question(body: bytes) -> np.ndarray:
    """The picture (3, H, W) in 0..1 of {"picture": "data:image/png;base64,..."}; a ValueError says what is wrong."""
    from PIL import Image

    try:
        text = json.loads(body)["picture"]
        kind, _, data = text.partition(";base64,")
        if kind != "data:image/png":
            raise ValueError(f"picture must start with data:image/png;base64, got {text[:30]!r}")
        content = base64.b64decode(data, validate=True)
    except (
        json.JSONDecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, AttributeError, binascii.Error
    ) as error:  # fmt: skip
        raise ValueError(f'the question must be {{"picture": "data:image/png;base64,..."}} ({error})') from error
    try:
        image = Image.open(io.BytesIO(content), formats=["PNG"])
        if image.width * image.height <= LARGEST:
            pixels = np.asarray(image.convert("RGB"), np.float32) / 255  # (H, W, 3)
            return pixels.transpose(2, 0, 1)
    except Exception as error:  # for damaged files Pillow raises anything, such as AssertionError
        raise ValueError(f"picture cannot be read as a PNG ({str(error) or type(error).__name__})") from error
    raise ValueError(f"picture must have at most {LARGEST:,} pixels, got {image.width}x{image.height}")
