"""The HTTP server of the review page: for this machine only, from the standard library.

    GET  /, /page.css, /page.js        the page, without external resources
    GET  /api/summary                  counts
    GET  /api/clips?start&count&reason&undecided=1
    GET  /audio/<place>.wav            one clip; with byte ranges, which Safari requires
    POST /api/decisions                {"id", "decision": "keep" | "drop" | "relabel:<label>" | null}, saved before
                                       the answer

It listens on 127.0.0.1. Other web pages in the same browser can neither read nor decide: requests must name this host
(against DNS rebinding) and decisions must be JSON from this origin (against CSRF).
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edgekws.curate.clean.review import Review
from edgekws.errors import ConfigError, EdgeKwsError

HOST = "127.0.0.1"
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_MAX_BODY_BYTES = 4096
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; connect-src 'self'; img-src data:"
_PAGE_COUNT = 25


def serve(review: Review, port: int) -> ThreadingHTTPServer:
    """A listening server; call its serve_forever. port 0: any free one.

    Raises ConfigError when the port is taken.
    """

    class Handler(_Handler):
        pass

    Handler.review = review
    try:
        return _Server((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        hint = "give another with --port, or omit it for any free one"
        raise ConfigError(f"port {port} of {HOST} should be free", got=str(error), hint=hint) from error


def url_of(server: ThreadingHTTPServer) -> str:
    return f"http://{HOST}:{server.server_address[1]}/"


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # quick listening opens many connections
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    review: Review
    protocol_version = "HTTP/1.1"
    server_version = "edgekws"
    timeout = 30

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: object) -> None:
        """No request log."""

    def _answer(self, work: Any) -> None:  # noqa: ANN401
        try:
            if self._is_local():
                work()
        except EdgeKwsError as error:
            broken = self.command == "POST" and error.exit_code == 8
            self._json({"error": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR if broken else HTTPStatus.BAD_REQUEST)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True  # the browser closes the connection when it skips to the next sound

    def _is_local(self) -> bool:
        port = self.connection.getsockname()[1]
        here = {f"{name}:{port}" for name in (HOST, "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in here and (origin is None or origin.removeprefix("http://") in here):
            return True
        self.close_connection = True
        self._json({"error": "this page is for this machine only"}, HTTPStatus.FORBIDDEN)
        return False

    def _get(self) -> None:
        url = urlsplit(self.path)
        sound = re.fullmatch(r"/audio/(\d{1,9})\.wav", url.path)
        if sound:
            self._sound(self.review.sound(int(sound[1])))
        elif url.path in _FILES:
            name, kind = _FILES[url.path]
            self._send((files("edgekws.curate.clean") / name).read_bytes(), kind)
        elif url.path == "/api/summary":
            self._json(self.review.summary())
        elif url.path == "/api/clips":
            query = {key: values[-1] for key, values in parse_qs(url.query).items()}
            start, count = _number(query, "start", 0), _number(query, "count", _PAGE_COUNT)
            self._json(self.review.page(start, count, query.get("reason", ""), query.get("undecided") == "1"))
        else:
            self._json({"error": "no such page"}, HTTPStatus.NOT_FOUND)

    def _post(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_BODY_BYTES:
            self.close_connection = True  # the body is not read
            self._json({"error": f"a decision has a length of {_MAX_BODY_BYTES} bytes at most"}, HTTPStatus.BAD_REQUEST)
            return
        body = self.rfile.read(int(length))
        if urlsplit(self.path).path != "/api/decisions":
            self._json({"error": "no such page"}, HTTPStatus.NOT_FOUND)
        elif self.headers.get_content_type() != "application/json":
            self._json({"error": "a decision should be application/json"}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        else:
            self._json(self.review.decide(*_decision(body)))

    def _sound(self, content: bytes) -> None:
        requested = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not requested or int(requested[1]) >= len(content):
            self._send(content, "audio/wav", {"Accept-Ranges": "bytes"})
            return
        first, last = int(requested[1]), min(int(requested[2] or len(content)), len(content) - 1)
        place = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self._send(content[first : last + 1], "audio/wav", place, HTTPStatus.PARTIAL_CONTENT)

    def _json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value).encode(), "application/json", status=status)

    def _send(
        self, content: bytes, kind: str, headers: dict[str, str] | None = None, status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self.send_response(status)
        fixed = {"Content-Type": kind, "Content-Length": str(len(content)), "Cache-Control": "no-store"}
        safe = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": _POLICY,
            "Referrer-Policy": "no-referrer",
        }
        for name, value in {**fixed, **safe, **(headers or {})}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


def _number(query: dict[str, str], name: str, default: int) -> int:
    value = query.get(name, str(default))
    if not re.fullmatch(r"\d{1,9}", value):
        raise ConfigError(f"{name} should be a number", got=value[:40])
    return int(value)


def _decision(body: bytes) -> tuple[str, str | None]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ConfigError("a decision should be JSON", got=str(error)) from error
    clip = value.get("id") if isinstance(value, dict) else None
    decision = value.get("decision") if isinstance(value, dict) else None
    if not isinstance(clip, str) or not (decision is None or isinstance(decision, str)):
        expected = 'a decision should be {"id": ..., "decision": "keep", "drop", "relabel:<label>" or null}'
        raise ConfigError(expected, got=str(value)[:200])
    return clip, decision
