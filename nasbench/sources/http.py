"""HTTP as downloads need it: every byte that arrives is handed over at once, and who sends too slowly is cut off."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

_CHUNK = 2**16


class Floor(NamedTuple):
    """How slow a server may be: in each stretch of ``grace`` seconds at least ``speed`` bytes a second, on average.

    The first stretch begins before the connection does, so that names, handshakes and headers count as slowness too.
    """

    speed: float = 1000.0
    grace: float = 30.0


class RefusedError(Exception):
    """The server answers that it will not send the file."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the server answers {status} {' '.join(reason.split())[:100]}")
        self.status = status


class CutError(Exception):
    """There is no connection, or it was cut, or was too slow."""


class Answer:
    """A server's answer: its status and headers, and its body as it comes."""

    def __init__(self, raw: http.client.HTTPResponse | urllib.error.HTTPError, watch: _Watch) -> None:
        self._raw, self._watch = raw, watch
        self.status: int = raw.status or 0

    def header(self, name: str) -> str:
        """Return a header's text, or nothing."""
        return str(self._raw.headers.get(name, ""))

    def parts(self) -> Iterator[bytes]:
        """Yield what arrives, as it arrives; it may end early, which the caller tells by its length.

        Raises:
            CutError: The connection failed, or was too slow; everything before was yielded.
        """
        while True:
            with self._watch.telling():
                part = self._raw.read1(_CHUNK)
            if not part:
                return
            self._watch.arrived += len(part)
            yield part


@contextmanager
def get(address: str, headers: Mapping[str, str], floor: Floor) -> Iterator[Answer]:
    """Ask for a file, over HTTP or HTTPS and the proxies of the environment; the answer may be a 416.

    Raises:
        RefusedError: The server refuses.
        CutError: No connection, or one that failed or was too slow before the answer came.
    """
    asked = urllib.request.Request(address, headers={"User-Agent": "nasbench-suite", **headers})
    watch = _Watch(floor)
    try:
        with watch.telling():
            try:
                raw = _opener(watch).open(asked, timeout=floor.grace)
            except urllib.error.HTTPError as error:
                raw = error
        with raw:
            if raw.status not in (200, 206, 416):
                raise RefusedError(raw.status, raw.reason)
            yield Answer(raw, watch)
    finally:
        watch.end()


class _Watch:
    """Closes a connection over which less arrives than the floor demands, from a thread of its own."""

    def __init__(self, floor: Floor) -> None:
        self.arrived = 0
        self._floor = floor
        self._slow = False
        self._socket: socket.socket | None = None
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def hold(self, connected: socket.socket) -> None:
        """Take the connection that is to be closed."""
        self._socket = connected
        if self._slow:
            raise TimeoutError

    def end(self) -> None:
        self._over.set()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Turn what goes wrong with the connection into a CutError that says why."""
        try:
            yield
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", error)
            raise CutError(self._reason(" ".join(str(cause or type(error).__name__).split())[:200])) from None
        if self._slow:
            raise CutError(self._reason(""))

    def _reason(self, told: str) -> str:
        speed, grace = self._floor
        return f"less than {speed:,g} bytes a second for {grace:g} seconds" if self._slow else told

    def _look(self) -> None:
        before = 0
        while not self._over.wait(self._floor.grace):
            if self.arrived - before < self._floor.speed * self._floor.grace:
                self._slow = True
                if self._socket is not None:
                    with suppress(OSError):
                        # That of TLS would wait for the thread that reads.
                        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                return
            before = self.arrived


def _opener(watch: _Watch) -> urllib.request.OpenerDirector:
    """Return an opener for HTTP and HTTPS alone: a redirection leads to no file and no FTP server."""

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            watch.hold(self.sock)

    class Secure(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            watch.hold(self.sock)

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, req, context=_certificates())

    opener = urllib.request.OpenerDirector()
    handlers: tuple[Any, ...] = (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        PlainHandler(),
        SecureHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    )
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _certificates() -> ssl.SSLContext:
    """Trust whom the system trusts, and whom requests would: some installations of Python know no authorities."""
    import certifi

    context = ssl.create_default_context()
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    context.load_verify_locations(named if named and os.path.isfile(named) else certifi.where())
    return context
