"""Servers on localhost: a sound one that takes its time, and those that stall, drip, flood, cut and lie."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from _faults import samples
from _faults.processes import Ended, run, start

PAGE = "https://example.org/official"
Script = Callable[[socket.socket, int, bytes], None]
"""Answers one request from a byte on, with the whole content."""


class Serving:
    """A server in a process of its own, until :meth:`end`."""

    def __init__(self, script: Script, content: bytes) -> None:
        listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}/sample.json"
        self._process = start(lambda: _serve(listening, script, content), "server")
        listening.close()

    def end(self) -> None:
        """End it."""
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)


def _serve(listening: socket.socket, script: Script, content: bytes) -> int:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_answer, args=(connection, script, content), daemon=True).start()


def _answer(connection: socket.socket, script: Script, content: bytes) -> None:
    with connection, suppress(OSError):
        text = b""
        while b"\r\n\r\n" not in text:
            more = connection.recv(4096)
            if not more:
                return
            text += more
        headers = dict(line.lower().split(b": ", 1) for line in text.splitlines() if b": " in line)
        asked = int(headers.get(b"range", b"bytes=0-").split(b"=")[1].rstrip(b"-"))
        same = headers.get(b"if-range", b'"one"') == b'"one"' or script is trusting
        script(connection, asked if same else 0, content)


def _head(begin: int, content: bytes) -> bytes:
    status = f"206 Part\r\nContent-Range: bytes {begin}-{len(content) - 1}/{len(content)}" if begin else "200 OK"
    return f'HTTP/1.1 {status}\r\nETag: "one"\r\nContent-Length: {len(content) - begin}\r\n\r\n'.encode()


def sound(connection: socket.socket, begin: int, content: bytes) -> None:
    """Send what was asked for, in about half a second."""
    connection.sendall(_head(begin, content))
    step = max(len(content) // 20, 1)
    for at in range(begin, len(content), step):
        connection.sendall(content[at : at + step])
        time.sleep(0.02)


def trusting(connection: socket.socket, begin: int, content: bytes) -> None:
    """Send the part that was asked for, even if it is to go on from another file."""
    sound(connection, begin, content)


def silent(connection: socket.socket, begin: int, content: bytes) -> None:
    """Say nothing at all."""
    time.sleep(3600)


def slow_headers(connection: socket.socket, begin: int, content: bytes) -> None:
    """Send headers without end, a byte a second."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        for byte in b"X-More: yes\r\n":
            connection.sendall(bytes([byte]))
            time.sleep(1)


def dripping(connection: socket.socket, begin: int, content: bytes) -> None:
    """Send the body a byte a second."""
    connection.sendall(_head(begin, content))
    for at in range(begin, len(content)):
        connection.sendall(content[at : at + 1])
        time.sleep(1)


def endless(connection: socket.socket, begin: int, content: bytes) -> None:
    """Send a body of no stated length, without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


def announcing(connection: socket.socket, begin: int, content: bytes) -> None:
    """Announce a terabyte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


def cutting(connection: socket.socket, begin: int, content: bytes) -> None:
    """Cut the connection after a third of the file, each time."""
    connection.sendall(_head(begin, content) + content[begin : begin + len(content) // 3])


def lying(connection: socket.socket, begin: int, content: bytes) -> None:
    """Send other bytes than the published ones, of the right number."""
    connection.sendall(_head(begin, content) + bytes(len(content) - begin))


def shifted(connection: socket.socket, begin: int, content: bytes) -> None:
    """Send half of the file, then parts that begin elsewhere than asked for."""
    if begin:
        connection.sendall(_head(begin + 1, content) + content[begin + 1 :])
    else:
        connection.sendall(_head(0, content) + content[: len(content) // 2])


SCRIPTS: dict[str, tuple[Script, str]] = {
    "never answers": (silent, "refused"),
    "headers without end, a byte a second": (slow_headers, "refused"),
    "a body, a byte a second": (dripping, "refused"),
    "a body without end": (endless, "refused"),
    "announces a terabyte": (announcing, "refused"),
    "cuts in the middle, each time": (cutting, "answered"),
    "sends other bytes": (lying, "refused"),
    "sends parts that begin elsewhere": (shifted, "refused or answered"),
    "sound, with a damaged .partial.version": (sound, "answered"),
    "sound, with a .partial of another file": (sound, "answered"),
    "goes on from a .partial of another file": (trusting, "refused"),
}
"""By what a server does: how, and what should come of it."""


def publish(address: str, content: bytes, cache: Path) -> None:
    """Make a file official, in this process, and choose the folder of the cache."""
    import hashlib

    from nasbench.sources.fetch import OFFICIAL, Official

    os.environ |= {"NASBENCH_CACHE": str(cache), "NO_PROXY": "127.0.0.1"}
    sha256 = hashlib.sha256(content).hexdigest()
    OFFICIAL["sample"] = Official("nas-bench-macro", address, sha256, PAGE, len(content))


def measure(folder: Path, number: int, workers: int, *, quick: bool = False) -> list[dict[str, Any]]:
    """Fetch from each server, all at once, since most of it is waiting; return what came of it.

    Args:
        folder: Where to work.
        number: Not used: each server is met once.
        workers: Not used.
        quick: Wait a hundredth of the time that a user's command would.
    """
    import shutil

    shutil.rmtree(folder / "servers", ignore_errors=True)
    (folder / "servers").mkdir(parents=True)
    content = samples.raw_macro(folder / "servers", 300).read_bytes()
    processes = []
    for at, title in enumerate(SCRIPTS):
        place = folder / "servers" / str(at)
        processes.append(start(lambda title=title, place=place: _meet(title, place, content, quick), "meeting"))
    for process in processes:
        assert os.waitpid(process, 0)[1] == 0
    found = [_read(folder / "servers" / str(at), title) for at, title in enumerate(SCRIPTS)]
    shutil.rmtree(folder / "servers")
    return found


def _meet(title: str, place: Path, content: bytes, quick: bool) -> int:
    import json

    downloads = place / "cache" / "downloads" / "sample"
    downloads.mkdir(parents=True)
    if ".partial" in title:
        (downloads / "sample.json.partial").write_bytes(content[:1000] if ".version" in title else b"z" * 1000)
        (downloads / "sample.json.partial.version").write_bytes(
            b"\xff\x00\r\n" * 99 if ".version" in title else b'"two"'
        )
    server = Serving(SCRIPTS[title][0], content)

    def work() -> int:
        import nasbench.sources.download as downloading
        from nasbench.cli import main
        from nasbench.sources.http import Floor

        if quick:
            Floor.__new__.__defaults__ = (10_000.0, 0.3)
            downloading._WAITS = tuple(wait / 100 for wait in downloading._WAITS)
        publish(server.address, content, place / "cache")
        return main(["fetch", "sample"])

    ended = run(work, "fetch", limit=900)
    server.end()
    received = sum(path.stat().st_size for path in downloads.iterdir() if path.name != "lock")
    table = place / "cache" / "tables" / "sample.h5"
    sound_table = table.is_file() and bool(samples.table_values(table))
    (place / "found.json").write_text(json.dumps([ended, received, sound_table]))
    return 0


def _read(place: Path, title: str) -> dict[str, Any]:
    import json

    ended, received, sound_table = json.loads((place / "found.json").read_text())
    ended = Ended(*ended)
    lines = [line for line in ended.said.splitlines() if line.strip()]
    one_line = ended.status != 1 or len(lines) == 1
    expected = ended.outcome in SCRIPTS[title][1] and one_line and sound_table == (ended.status == 0)
    return {
        "server": title,
        "outcome": ended.outcome,
        "seconds": round(ended.seconds, 1),
        "kept": received,
        "said": ended.said[-400:],
        "bad": not expected,
    }


def block(found: list[dict[str, Any]]) -> str:
    """Return the table of the page."""
    lines = ["| server | outcome | seconds | bytes kept |", "|---|---|---|---|"]
    for one in found:
        lines.append(f"| {one['server']} | {one['outcome']} | {one['seconds']:,} | {one['kept']:,} |")
    return "\n".join(lines)


def bad(found: list[dict[str, Any]]) -> int:
    """Return how many servers had another effect than they should."""
    return sum(one["bad"] for one in found)
