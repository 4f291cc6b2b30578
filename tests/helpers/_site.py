"""A small web server with one file, which misbehaves as it is told: what downloads are tested against."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, NamedTuple


class Request(NamedTuple):
    range: str | None
    if_range: str | None
    encoding: str | None
    status: int


class Answer(NamedTuple):
    """How to answer one request: sound, where nothing else is said."""

    status: int | None = None
    cut: int | None = None
    """Close the connection after so many bytes."""
    stall: int | None = None
    """Stop after so many bytes, and wait for the end of the test."""
    shift: int = 0
    """Send a part that begins so many bytes off."""


@dataclass
class Site:
    content: bytes
    tag: str | None = '"one"'
    ranges: bool = True
    trusting: bool = False
    """Send the part that was asked for even if If-Range names another version."""
    plan: list[Answer] = field(default_factory=list)
    """Answers to the next requests; after these, sound ones."""
    requests: list[Request] = field(default_factory=list)
    sent: int = 0
    over: Event = field(default_factory=Event)
    address: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@contextmanager
def serving(site: Site, name: str = "sample.json") -> Iterator[Site]:
    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # clients that leave are part of the tests

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            _answer(site, self)

    with Server(("127.0.0.1", 0), Handler) as server:
        site.address = f"http://127.0.0.1:{server.server_port}/data/{name}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield site
        finally:
            site.over.set()
            server.shutdown()


def _answer(site: Site, handler: BaseHTTPRequestHandler) -> None:
    answer = site.plan.pop(0) if site.plan else Answer()
    asked, version = handler.headers["Range"], handler.headers["If-Range"]
    start, status = 0, answer.status or 200
    if status == 200 and asked and site.ranges and (version in (None, site.tag) or site.trusting):
        start = int(asked.removeprefix("bytes=").removesuffix("-")) + answer.shift
        status = 206 if start < len(site.content) else 416
    site.requests.append(Request(asked, version, handler.headers["Accept-Encoding"], status))
    body = site.content[start:] if status in (200, 206) else b""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start}-{len(site.content) - 1}/{len(site.content)}")
    if status == 416:
        handler.send_header("Content-Range", f"bytes */{len(site.content)}")
    if site.tag:
        handler.send_header("ETag", site.tag)
    handler.end_headers()
    part = body[: answer.cut if answer.cut is not None else answer.stall]
    site.sent += len(part)  # before the client can be done with it
    handler.wfile.write(part)
    if answer.stall is not None:
        site.over.wait(60)
