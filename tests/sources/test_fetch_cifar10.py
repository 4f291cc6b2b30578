"""Fetching CIFAR-10, from a server of one file: how downloads are cut and go on is in test_download.py."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from _site import Answer, Site, serving

from nasbench.errors import FetchError, ImagesError
from nasbench.training.images import cifar10

NAMES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
SIZE = 30_730_000


def archive(members: dict[str, int]) -> bytes:
    """Members of these sizes: of zeros, except the first byte, which is the place in the list."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        for i, (name, size) in enumerate(members.items()):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(bytes([i]) + bytes(size - 1)))
        link = tarfile.TarInfo("cifar-10-batches-bin/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return stream.getvalue()


@pytest.fixture(scope="module")
def sound() -> bytes:
    members = {f"cifar-10-batches-bin/{name}": SIZE for name in NAMES}
    return archive({**members, "cifar-10-batches-bin/readme.html": 80, "../outside.txt": 5})


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("nasbench.sources.download.sleep", lambda seconds: None)
    with serving(Site(b""), "cifar-10-binary.tar.gz") as site:
        monkeypatch.setattr(cifar10, "ADDRESS", site.address)
        yield site


def offer(site: Site, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    site.content = content
    monkeypatch.setattr(cifar10, "SHA256", site.sha256)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_six_files_are_fetched_once(
    site: Site, sound: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(site, sound, monkeypatch)
    site.plan = [Answer(cut=len(sound) // 2)]  # it goes on from there
    told: list[tuple[int, int]] = []
    folder = cifar10.fetch(progress=lambda *numbers: told.append(numbers))
    assert folder == tmp_path / "cache" / "images" / "cifar10"
    assert told[-1] == (len(sound), len(sound))
    # Nothing but the six files, and the lock.
    assert files(tmp_path) == ["cache/downloads/cifar10/lock", *(f"cache/images/cifar10/{name}" for name in NAMES)]
    for i, name in enumerate(NAMES):
        assert (folder / name).stat().st_size == SIZE
        assert (folder / name).read_bytes()[:2] == bytes([i, 0])
    requests = len(site.requests)
    assert requests == 2
    images = cifar10.images("nb101")  # from the cache
    assert images.splits["validation"].labels[0] == 4
    assert len(site.requests) == requests


def test_an_archive_of_another_checksum_is_refused(
    site: Site, sound: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(site, sound, monkeypatch)
    site.content = sound[:-9] + bytes([sound[-9] ^ 1]) + sound[-8:]
    with pytest.raises(FetchError, match=r"cifar-10-binary\.tar\.gz: .*kriz/cifar\.html"):
        cifar10.fetch(cache=tmp_path)
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"cifar-10-batches-bin/data_batch_2.bin": SIZE}, "no sound archive with .*data_batch_1"),
        ({"cifar-10-batches-bin/data_batch_1.bin": SIZE - 1}, "data_batch_1.bin is no file of 30,730,000 bytes"),
    ],
)
def test_a_verified_archive_of_other_files_is_refused(
    site: Site, members: dict[str, int], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(site, archive(members), monkeypatch)
    with pytest.raises(ImagesError, match=message):
        cifar10.fetch(cache=tmp_path)
    assert not (tmp_path / "images").exists()


def test_what_is_no_archive_is_refused(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(site, b"<html>moved</html>", monkeypatch)
    with pytest.raises(ImagesError, match="no sound archive"):
        cifar10.fetch(cache=tmp_path)


def test_no_server_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasbench.sources.download.sleep", lambda seconds: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(cifar10, "ADDRESS", "http://127.0.0.1:9/cifar-10-binary.tar.gz")
    with pytest.raises(FetchError, match="no connection"):
        cifar10.images("nb201")
