from __future__ import annotations

import errno
import hashlib
import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from _site import Answer, Request, Site, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import FetchError
from nasbench.sources.download import download

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(310_000)
PAGE = "https://example.org/official"
WHOLE = Request(None, None, "identity", 200)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; what would have been waited, in seconds, is noted."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    noted: list[float] = []
    monkeypatch.setattr("nasbench.sources.download.sleep", noted.append)
    return noted


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(CONTENT), "official.bin") as site:
        yield site


class Progress:
    """Notes what it is told, and may raise at some number of bytes."""

    def __init__(self, error: BaseException | None = None, at: int = 0) -> None:
        self.told: list[tuple[int, int]] = []
        self.error, self.at = error, at

    def __call__(self, done: int, total: int) -> None:
        self.told.append((done, total))
        if self.error is not None and done >= self.at:
            raise self.error


def get(site: Site, folder: Path, progress: Progress | None = None) -> Path:
    return download(site.address, site.sha256, folder, progress=progress or Progress(), page=PAGE)


def arrived(folder: Path) -> bytes:
    return (folder / "official.bin.partial").read_bytes()


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_download_is_one_request(site: Site, tmp_path: Path) -> None:
    progress = Progress()
    path = get(site, tmp_path, progress)
    assert path == tmp_path / "official.bin"
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == {"official.bin"}
    assert site.requests == [WHOLE]
    done, totals = zip(*progress.told, strict=True)
    assert done[-1] == 300_000
    assert list(done) == sorted(done)
    assert set(totals) == {300_000}


def test_a_right_file_is_not_downloaded_again(site: Site, tmp_path: Path) -> None:
    get(site, tmp_path)
    get(site, tmp_path)
    assert site.requests == [WHOLE]


def test_a_wrong_file_under_the_name_is_replaced(site: Site, tmp_path: Path) -> None:
    (tmp_path / "official.bin").write_bytes(OTHER)
    assert get(site, tmp_path).read_bytes() == CONTENT


def test_a_cut_download_goes_on_where_it_was_cut(site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.plan = [Answer(cut=150_000)]
    assert get(site, tmp_path).read_bytes() == CONTENT
    first, second = site.requests
    assert first == WHOLE
    assert second.range is not None
    # Every byte that was sent is kept, the last ones too.
    assert second == ("bytes=150000-", '"one"', "identity", 206)
    assert site.sent == 300_000
    assert len(waits) == 1


def test_after_too_many_cuts_the_same_command_goes_on(site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.plan = [Answer(cut=100_000)] + [Answer(cut=0)] * 5
    with pytest.raises(FetchError, match="the connection was cut") as caught:
        get(site, tmp_path)
    part = arrived(tmp_path)
    assert f"{len(part):,} of 300,000 bytes have arrived; the same command goes on from there" in str(caught.value)
    assert CONTENT.startswith(part)
    assert len(part) > 30_000
    assert left(tmp_path) == {"official.bin.partial", "official.bin.partial.version"}
    assert len(site.requests) == 1 + len(waits)
    assert waits == sorted(set(waits))
    site.requests.clear()
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert site.requests == [(f"bytes={len(part)}-", '"one"', "identity", 206)]
    assert left(tmp_path) == {"official.bin"}


@pytest.mark.parametrize("tag", ['"one"', None])
def test_a_server_without_ranges_starts_over(site: Site, tmp_path: Path, tag: str | None) -> None:
    site.ranges, site.tag, site.plan = False, tag, [Answer(cut=150_000)]
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert [request.status for request in site.requests] == [200, 200]


def test_a_server_without_versions_is_trusted(site: Site, tmp_path: Path) -> None:
    site.tag, site.plan = None, [Answer(cut=150_000)]
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert [(request.if_range, request.status) for request in site.requests] == [(None, 200), (None, 206)]


def test_a_file_that_changes_half_way_starts_over(site: Site, tmp_path: Path) -> None:
    site.plan = [Answer(cut=150_000)] + [Answer(cut=0)] * 5
    with pytest.raises(FetchError, match="cut"):
        get(site, tmp_path)
    site.content, site.tag = OTHER, '"two"'
    site.requests.clear()
    assert get(site, tmp_path).read_bytes() == OTHER
    assert [(request.if_range, request.status) for request in site.requests] == [('"one"', 200)]


def test_parts_of_two_files_are_never_taken_for_one(site: Site, tmp_path: Path) -> None:
    site.plan, site.trusting = [Answer(cut=150_000)] + [Answer(cut=0)] * 5, True
    with pytest.raises(FetchError, match="cut"):
        get(site, tmp_path)
    site.content, site.tag = OTHER, '"two"'
    with pytest.raises(FetchError, match="does not match"):
        get(site, tmp_path)
    assert left(tmp_path) == set()
    assert get(site, tmp_path).read_bytes() == OTHER


def test_a_server_that_sends_another_part_starts_over(site: Site, tmp_path: Path) -> None:
    site.plan = [Answer(cut=150_000), Answer(shift=1)]
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert [request.status for request in site.requests] == [200, 206, 200]


def test_a_whole_file_that_was_never_verified_is_not_sent_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "official.bin.partial").write_bytes(CONTENT)
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert [request.status for request in site.requests] == [416]
    assert site.sent == 0


def test_more_than_the_whole_file_is_thrown_away(site: Site, tmp_path: Path) -> None:
    (tmp_path / "official.bin.partial").write_bytes(OTHER)
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert [request.status for request in site.requests] == [416, 200]


def test_a_wrong_checksum_names_both_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    expected = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(FetchError) as caught:
        download(site.address, expected, tmp_path, progress=Progress(), page=PAGE)
    for told in (site.address, expected, site.sha256, PAGE):
        assert told in str(caught.value)
    assert left(tmp_path) == set()
    assert site.requests == [WHOLE]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_told_at_once(site: Site, tmp_path: Path, waits: list[float], status: int) -> None:
    site.plan = [Answer(status=status)]
    with pytest.raises(FetchError, match=f"the server answers {status} .*{PAGE}"):
        get(site, tmp_path)
    assert waits == []
    assert left(tmp_path) == set()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path, waits: list[float], status: int) -> None:
    site.plan = [Answer(status=status)] * 5
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert len(waits) == 5
    (tmp_path / "official.bin").unlink()
    site.plan = [Answer(status=status)] * 6
    with pytest.raises(FetchError, match=f"the server answers {status} .*Nothing has arrived yet"):
        get(site, tmp_path)


def test_a_refusal_does_not_cost_what_has_arrived(site: Site, tmp_path: Path) -> None:
    site.plan = [Answer(cut=150_000), Answer(status=403)]
    with pytest.raises(FetchError, match="403"):
        get(site, tmp_path)
    assert CONTENT.startswith(arrived(tmp_path))
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert site.requests[-1].status == 206


def test_no_connection_is_told_at_once(tmp_path: Path, waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]  # nobody listens there once it is closed
    with pytest.raises(FetchError, match=r"no connection \(.*refused.*\). Nothing has arrived yet"):
        download(f"http://127.0.0.1:{port}/official.bin", "0" * 64, tmp_path, progress=Progress(), page=PAGE)
    assert waits == []


def test_no_network_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    with pytest.raises(FetchError, match=r"no connection \(.*Temporary failure in name resolution"):
        download("http://official.invalid/official.bin", "0" * 64, tmp_path, progress=Progress(), page=PAGE)


def test_a_disk_too_small_is_noticed_before_the_download(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.plan = [Answer(cut=150_000)] + [Answer(cut=0)] * 5
    with pytest.raises(FetchError, match="cut"):
        get(site, tmp_path)
    part = len(arrived(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1234))
        with pytest.raises(FetchError, match=f"needs {300_000 - part:,} bytes .* 1,234 bytes are free"):
            get(site, tmp_path)
    assert len(arrived(tmp_path)) == part
    assert get(site, tmp_path).read_bytes() == CONTENT


def test_a_disk_that_fills_up_keeps_what_has_arrived(site: Site, tmp_path: Path) -> None:
    full = Progress(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), at=100_000)
    with pytest.raises(FetchError, match="the disk is full") as caught:
        get(site, tmp_path, full)
    part = arrived(tmp_path)
    assert len(part) == full.told[-1][0]
    assert f"needs {300_000 - len(part):,} bytes" in str(caught.value)
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert site.requests[-1].range == f"bytes={len(part)}-"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_the_system_says_that_the_disk_is_full(site: Site, tmp_path: Path) -> None:
    (tmp_path / "official.bin.partial").symlink_to("/dev/full")
    with pytest.raises(FetchError, match=r"the disk is full: .* needs 300,000 bytes"):
        get(site, tmp_path)
    assert "official.bin" not in left(tmp_path)


def test_an_interrupted_download_goes_on(site: Site, tmp_path: Path) -> None:
    interrupted = Progress(KeyboardInterrupt(), at=100_000)
    with pytest.raises(KeyboardInterrupt):
        get(site, tmp_path, interrupted)
    assert arrived(tmp_path) == CONTENT[: interrupted.told[-1][0]]
    assert left(tmp_path) == {"official.bin.partial", "official.bin.partial.version"}
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert site.requests[-1].range == f"bytes={interrupted.told[-1][0]}-"


def test_an_interrupted_verification_does_not_cost_the_download(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pooch.core.hash_matches", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get(site, tmp_path)
    assert left(tmp_path) == {"official.bin.partial", "official.bin.partial.version"}
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert site.sent == 300_000


def test_a_file_system_without_links_does(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("os.link", refuse)
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert left(tmp_path) == {"official.bin"}


def test_a_killed_process_leaves_what_has_arrived(site: Site, tmp_path: Path) -> None:
    site.plan = [Answer(stall=200_000)]
    code = (
        "from pathlib import Path; from nasbench.sources.download import download; "
        f"download({site.address!r}, {site.sha256!r}, Path({str(tmp_path)!r}), progress=print, page='')"
    )
    process = subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        done, total = map(int, process.stdout.readline().split())
        process.kill()
    part = arrived(tmp_path)
    assert CONTENT.startswith(part)
    assert total == 300_000
    assert len(part) >= done > 0
    assert not (tmp_path / "official.bin").exists()
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert site.requests[-1].range == f"bytes={len(part)}-"


def test_pooch_stays_as_talkative_as_it_was(site: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import pooch

    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        get(site, tmp_path)
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(before)
    assert capfd.readouterr() == ("", "")


@settings(derandomize=True, max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 300_000), max_size=5), ranges=st.booleans(), tag=st.sampled_from(['"one"', None]))
def test_wherever_it_is_cut_the_file_is_the_same(cuts: list[int], ranges: bool, tag: str | None) -> None:
    plan = [Answer(cut=cut) for cut in cuts]
    with tempfile.TemporaryDirectory() as folder, serving(Site(CONTENT, tag, ranges, plan=plan)) as site:
        progress = Progress()
        assert get(site, Path(folder), progress).read_bytes() == CONTENT
        assert site.requests[0] == WHOLE
        assert len(site.requests) <= len(cuts) + 1
        assert progress.told[-1] == (300_000, 300_000)
        assert left(Path(folder)) == {"sample.json"}
