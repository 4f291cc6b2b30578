"""Servers on localhost that stall, drip, flood or lie: a download ends soon, and keeps what is sound."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from nasbench.errors import FetchError
from nasbench.sources.download import AT_MOST, download
from nasbench.sources.fetch import OFFICIAL
from nasbench.sources.http import Floor

CONTENT = np.random.default_rng(0).bytes(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PAGE = "https://example.org/official"
QUICK = Floor(speed=50_000, grace=0.15)
PARTIAL, VERSION = "official.bin.partial", "official.bin.partial.version"

Script = Callable[[socket.socket, str, threading.Event], None]
"""Answers a request, whose text it is given, until the event says that the test is over."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("nasbench.sources.download.sleep", lambda seconds: None)


class Server:
    def __init__(self, scripts: list[Script]) -> None:
        self.scripts = scripts
        """For one request each; the last for all that follow."""
        self.requests: list[str] = []
        self.over = threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listening.getsockname()[1]}/official.bin"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                with connection, suppress(OSError):
                    text = ""
                    while "\r\n\r\n" not in text:
                        text += connection.recv(4096).decode()
                    self.requests.append(text)
                    script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                    script(connection, text, self.over)


@contextmanager
def serving(*scripts: Script) -> Iterator[Server]:
    server = Server([*scripts])
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        with suppress(OSError):
            server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()
        thread.join()


def asked_from(request: str) -> int:
    line = next((line for line in request.splitlines() if line.lower().startswith("range:")), "range: bytes=0-")
    return int(line.split("=")[1].rstrip("-"))


def sound(connection: socket.socket, request: str, over: threading.Event) -> None:
    start = asked_from(request)
    status = f"206 Part\r\nContent-Range: bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}" if start else "200 OK"
    connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(CONTENT) - start}\r\n\r\n".encode())
    connection.sendall(CONTENT[start:])


def dripping(data: bytes, before: bytes = b"", *, every: float = 0.02) -> Script:
    def script(connection: socket.socket, request: str, over: threading.Event) -> None:
        connection.sendall(before)
        for byte in data:
            if over.wait(every):
                return
            connection.sendall(bytes([byte]))

    return script


def silent(connection: socket.socket, request: str, over: threading.Event) -> None:
    connection.settimeout(10)
    connection.recv(1)  # nothing comes until the client leaves


def flooding(headers: bytes, chunk: bytes = b"x" * 65_536, sent: list[int] | None = None) -> Script:
    def script(connection: socket.socket, request: str, over: threading.Event) -> None:
        connection.sendall(headers)
        while not over.is_set():
            connection.sendall(chunk)
            if sent is not None:
                sent.append(len(chunk))

    return script


def get(server: Server, folder: Path, at_most: int = AT_MOST, floor: Floor = QUICK) -> Path:
    return download(server.address, SHA256, folder, progress=lambda *_: None, page=PAGE, at_most=at_most, floor=floor)


HEADERS = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "script",
    [
        silent,
        dripping(HEADERS),
        dripping(b"X-More: yes\r\n" * 90, b"HTTP/1.1 200 OK\r\n"),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 90),
    ],
    ids=["nothing", "a byte at a time", "headers without end", "to be continued"],
)
def test_slow_headers_end_after_the_grace_period(tmp_path: Path, script: Script) -> None:
    with serving(script) as server:
        start = monotonic()
        with pytest.raises(
            FetchError, match=r"no connection \((less than 50,000 bytes a second for 0.15 seconds|timed out)\)"
        ):
            get(server, tmp_path)
        assert monotonic() - start < 5  # of a server that would go on for ever
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "before",
    [HEADERS, ENDLESS, CHUNKED, CHUNKED + b"5\r\nab"],
    ids=["length", "no length", "chunk sizes", "in a chunk"],
)
def test_a_slow_body_ends_after_the_grace_period_and_is_asked_for_again(tmp_path: Path, before: bytes) -> None:
    slow = dripping(b"0" * 1000, before)
    with serving(slow) as server:
        with pytest.raises(FetchError, match=r"the connection was cut \(less than 50,000 bytes a second"):
            get(server, tmp_path)
        assert len(server.requests) == 6
        assert len({asked_from(request) for request in server.requests}) > 1 or before.startswith(CHUNKED)


def test_what_a_stalled_server_sent_is_kept_to_the_last_byte(tmp_path: Path) -> None:
    def stalling(connection: socket.socket, request: str, over: threading.Event) -> None:
        connection.sendall(HEADERS + CONTENT[:123_457])
        silent(connection, request, over)

    with serving(stalling, sound) as server:
        assert get(server, tmp_path).read_bytes() == CONTENT
        assert [asked_from(request) for request in server.requests] == [0, 123_457]


def test_what_came_before_a_reset_is_kept_to_the_last_byte(tmp_path: Path) -> None:
    received = threading.Event()

    def resetting(connection: socket.socket, request: str, over: threading.Event) -> None:
        connection.sendall(HEADERS + CONTENT[:70_001])
        received.wait(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with a reset

    def progress(done: int, total: int) -> None:
        if done == 70_001:
            received.set()

    with serving(resetting, sound) as server:
        path = download(server.address, SHA256, tmp_path, progress=progress, page=PAGE, floor=Floor())
        assert path.read_bytes() == CONTENT
        assert [asked_from(request) for request in server.requests] == [0, 70_001]


def test_a_slow_server_that_is_fast_enough_is_waited_for(tmp_path: Path) -> None:
    """Eight stretches, each above the floor."""

    def steady(connection: socket.socket, request: str, over: threading.Event) -> None:
        connection.sendall(HEADERS)
        for start in range(0, len(CONTENT), 5_000):
            over.wait(0.02)
            connection.sendall(CONTENT[start : start + 5_000])

    with serving(steady) as server:
        assert get(server, tmp_path, floor=Floor(speed=1_000, grace=0.1)).read_bytes() == CONTENT
        assert len(server.requests) == 1


@pytest.mark.parametrize("headers", [ENDLESS, CHUNKED], ids=["plain", "chunked"])
def test_an_endless_body_stops_at_the_known_size(tmp_path: Path, headers: bytes) -> None:
    chunk = b"x" * 65_536 if headers is ENDLESS else b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    sent: list[int] = []
    with serving(flooding(headers, chunk, sent)) as server:
        with pytest.raises(FetchError, match="does not match the known hash"):
            get(server, tmp_path, len(CONTENT))
        assert len(server.requests) == 1
    assert sum(sent) < 2**25  # what the system holds in its own buffers
    assert [*tmp_path.iterdir()] == []


def test_an_endless_body_that_begins_with_the_file_is_the_file(tmp_path: Path) -> None:
    with serving(flooding(ENDLESS + CONTENT)) as server:
        assert get(server, tmp_path, len(CONTENT)).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["official.bin"]


def test_a_file_that_is_announced_larger_than_known_is_refused_at_once(tmp_path: Path) -> None:
    with serving(flooding(HEADERS.replace(b"200000", b"200001"))) as server:
        with pytest.raises(FetchError, match="announces 200,001 bytes, expected 200,000 at most"):
            get(server, tmp_path, len(CONTENT))
        assert len(server.requests) == 1
    with (
        serving(flooding(HEADERS.replace(b"200000", b"%d" % 10**15))) as server,
        pytest.raises(FetchError, match="announces 1,000,000,000,000,000 bytes, expected 4,294,967,296 at most"),
    ):
        get(server, tmp_path)


def test_more_than_the_whole_file_from_before_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / PARTIAL).write_bytes(CONTENT + b"more")
    with serving(sound) as server:
        assert get(server, tmp_path, len(CONTENT)).read_bytes() == CONTENT
        assert asked_from(server.requests[0]) == 0


@pytest.mark.parametrize(
    "note", [b"\xff\xfe", b"", b"a\r\nHost: elsewhere", b"e" * 100_000, b"\0", "\N{SNOWMAN}".encode(), None]
)
def test_a_damaged_note_of_the_version_is_no_obstacle(tmp_path: Path, note: bytes | None) -> None:
    (tmp_path / PARTIAL).write_bytes(CONTENT[:150_000])
    if note is None:
        (tmp_path / VERSION).mkdir()
        (tmp_path / VERSION / "file").touch()
    else:
        (tmp_path / VERSION).write_bytes(note)
    with serving(sound) as server:
        assert get(server, tmp_path).read_bytes() == CONTENT
        assert len(server.requests) == 1
        assert asked_from(server.requests[0]) == 150_000
        assert "if-range" not in server.requests[0].lower()
        assert "elsewhere" not in server.requests[0]
    assert [path.name for path in tmp_path.iterdir()] == ["official.bin"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_note_that_would_never_end_is_not_read(tmp_path: Path) -> None:
    (tmp_path / PARTIAL).write_bytes(CONTENT[:150_000])
    os.mkfifo(tmp_path / VERSION)
    with serving(sound) as server:
        assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_version_that_cannot_be_sent_back_is_not_noted(tmp_path: Path) -> None:
    for tag in (b"e" * 60_000, b"\xff\xfe", b""):
        headers = HEADERS.replace(b"\r\n\r\n", b"\r\nETag: " + tag + b"\r\n\r\n")

        def cutting(connection: socket.socket, request: str, over: threading.Event, headers: bytes = headers) -> None:
            connection.sendall(headers + CONTENT[:1000])

        with serving(cutting, sound) as server:
            assert get(server, tmp_path).read_bytes() == CONTENT
            assert "if-range" not in server.requests[1].lower()
        (tmp_path / "official.bin").unlink()


@pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1/file", "gopher://127.0.0.1/"])
def test_a_redirection_leads_to_the_web_alone(tmp_path: Path, place: str) -> None:
    def sending_away(connection: socket.socket, request: str, over: threading.Event) -> None:
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())

    with serving(sending_away) as server, pytest.raises(FetchError, match=r"302|no connection"):
        get(server, tmp_path)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0" * 100, b"HTTP/1.1 999\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n", b"\xff\n"],
)
def test_an_answer_that_is_none_is_one_clear_error(tmp_path: Path, answer: bytes) -> None:
    def answering(connection: socket.socket, request: str, over: threading.Event) -> None:
        connection.sendall(answer)

    with serving(answering) as server, pytest.raises(FetchError, match=r"no connection \(.+\)|answers 999"):
        get(server, tmp_path)


def test_every_official_file_has_a_limit_near_its_size() -> None:
    """The page of NAS-Bench-101 says 1.95 GB and 499 MB."""
    limits = {name: official.at_most for name, official in OFFICIAL.items()}
    assert 1.95e9 < limits["nasbench101"] < 1.1 * 1.95e9 * 1.074  # whichever GB is meant
    assert 499e6 < limits["nasbench101_only108"] < 1.1 * 499e6 * 1.05
    sample = Path(__file__).parents[2] / "../shared/data/nas_bench_macro/nas-bench-macro_cifar10.json"
    if sample.exists():
        assert limits["nas_bench_macro"] == sample.stat().st_size
