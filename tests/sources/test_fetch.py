from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _site import Answer, Site, serving

from nasbench import registry
from nasbench.cli import main
from nasbench.errors import ConversionError, FetchError, FileNameError, UnknownNameError
from nasbench.sources.fetch import BY_HAND, OFFICIAL, Official, cache_folder, cached_table, fetch, hint, names
from nasbench.tables import TableFile
from nasbench.tables.data import NASBENCH201
from nasbench.tables.table import Table

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
ARCHITECTURES = ["".join(choices) for choices in product("012", repeat=8)][:1500]
PAGE = "https://example.org/sample"


def counts(seed: int) -> np.ndarray[Any, Any]:
    """Correct test images of three runs of each architecture."""
    return np.random.default_rng(seed).integers(1000, 10_000, (len(ARCHITECTURES), 3))


def raw(seed: int) -> bytes:
    """A file in the format of NAS-Bench-Macro, with random results."""
    entries = {}
    for text, images in zip(ARCHITECTURES, counts(seed).tolist(), strict=True):
        percent = [count / 100 for count in images]
        costs = {"params": 387_882, "flops": 7_713_280}
        entries[text] = {
            "test_acc": percent,
            "mean_acc": float(np.mean(percent)),
            "std": float(np.std(percent)),
            **costs,
        }
    return json.dumps(entries).encode()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("nasbench.sources.download.sleep", lambda seconds: None)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a cache"
    monkeypatch.setenv("NASBENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server with the official file named "sample"."""
    with serving(Site(raw(0))) as site:
        publish(site, monkeypatch)
        yield site


def publish(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OFFICIAL, "sample", Official("nas-bench-macro", site.address, site.sha256, PAGE))


def files(cache: Path) -> set[str]:
    return {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}


def assert_results(path: Path, seed: int) -> None:
    table = Table(path)
    assert len(table) == len(ARCHITECTURES)
    for text, images in list(zip(ARCHITECTURES, counts(seed).tolist(), strict=True))[::100]:
        assert table.query(text).test_accuracy == sum(images) / 30_000


TABLE = "tables/sample.h5"
LOCK = "downloads/sample/lock"
RAW = "downloads/sample/sample.json"


def test_fetching_makes_the_table_and_nothing_else(site: Site, cache: Path) -> None:
    told: list[tuple[int, int]] = []
    assert cached_table("sample") is None
    path, message = fetch("sample", progress=lambda done, total: told.append((done, total)))
    assert path == cache / TABLE == cached_table("sample")
    assert "sample is here now" in message
    assert "removed" in message
    assert files(cache) == {TABLE, LOCK}
    assert_results(path, 0)
    assert TableFile(path).source["sha256"] == f"sample.json {site.sha256}"
    size = len(site.content)
    assert (size, size) in told
    assert told[-1] == (len(ARCHITECTURES), len(ARCHITECTURES))


def test_fetching_again_does_nothing_and_says_so(site: Site, cache: Path) -> None:
    path, _ = fetch("sample")
    before = path.stat()
    again = fetch("sample")
    assert again.path == path
    assert "already" in again.message
    assert path.stat() == before
    assert len(site.requests) == 1


def test_the_file_may_be_kept(site: Site, cache: Path) -> None:
    path, message = fetch("sample", keep=True)
    assert str(cache / RAW) in message
    assert (cache / RAW).read_bytes() == site.content
    path.unlink()
    fetch("sample")
    assert len(site.requests) == 1
    assert files(cache) == {TABLE, LOCK}


def test_a_cache_may_be_given(site: Site, cache: Path, tmp_path: Path) -> None:
    path, _ = fetch("sample", cache=tmp_path / "other")
    assert path == tmp_path / "other" / TABLE == cached_table("sample", tmp_path / "other")
    assert not cache.exists()


def test_a_damaged_table_is_made_again(site: Site, cache: Path) -> None:
    path, _ = fetch("sample")
    sound = path.read_bytes()
    for damaged in (
        sound[:-1],
        sound[: len(sound) // 2] + bytes([sound[len(sound) // 2] ^ 1]) + sound[len(sound) // 2 + 1 :],
    ):
        path.write_bytes(damaged)
        fetch("sample")
        assert path.read_bytes() == sound


def test_a_table_of_another_version_of_the_file_is_made_again(
    site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch("sample")
    site.content, site.tag = raw(1), '"two"'
    publish(site, monkeypatch)
    assert_results(fetch("sample").path, 1)


def test_a_cut_download_is_told_and_goes_on(site: Site, cache: Path) -> None:
    site.plan = [Answer(cut=100_000)] + [Answer(cut=0)] * 5
    with pytest.raises(FetchError, match="the same command goes on"):
        fetch("sample")
    assert files(cache) == {LOCK, f"{RAW}.partial", f"{RAW}.partial.version"}
    assert_results(fetch("sample").path, 0)
    assert site.requests[-1].status == 206
    assert files(cache) == {TABLE, LOCK}


def test_a_wrong_checksum_converts_nothing(site: Site, cache: Path) -> None:
    site.content = raw(1)
    with pytest.raises(FetchError, match=site.sha256):
        fetch("sample")
    assert files(cache) == {LOCK}


def test_a_file_that_does_not_convert_is_kept(site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.content = b"{}"
    publish(site, monkeypatch)
    with pytest.raises(ConversionError, match=re.escape(str(cache / RAW))):
        fetch("sample")
    assert files(cache) == {LOCK, RAW}


def test_a_conversion_without_room_is_told_and_goes_on(
    site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, content: Any, *, force: bool) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr("nasbench.sources.fetch.write", write)
        with pytest.raises(FetchError, match=rf"the disk is full: {re.escape(str(cache / TABLE))} .* bytes are free"):
            fetch("sample")
    assert files(cache) == {LOCK, RAW}
    fetch("sample")
    assert len(site.requests) == 1


def test_an_interrupted_conversion_goes_on(site: Site, cache: Path) -> None:
    def progress(done: int, total: int) -> None:
        if total == len(ARCHITECTURES):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("sample", progress=progress)
    assert files(cache) == {LOCK, RAW}
    assert_results(fetch("sample").path, 0)
    assert len(site.requests) == 1


def test_what_a_killed_process_left_is_removed(site: Site, cache: Path) -> None:
    (cache / "downloads" / "sample").mkdir(parents=True)
    (cache / "downloads" / "sample" / "tmpabcdefgh").write_bytes(b"")
    fetch("sample")
    assert files(cache) == {TABLE, LOCK}


def test_a_cache_that_cannot_be_written_is_told(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(FetchError, match=rf"{re.escape(str(tmp_path / 'file'))}.*Not a directory.*NASBENCH_CACHE"):
        fetch("sample")


@pytest.mark.parametrize("below", ["", "downloads/sample", "tables"])
def test_a_cache_without_permission_is_told(site: Site, cache: Path, below: str) -> None:
    folder = cache / below
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(FetchError, match=r"Permission denied.*NASBENCH_CACHE"):
            fetch("sample")
    finally:
        folder.chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks on Windows")
def test_two_processes_do_not_download_the_same(site: Site, cache: Path) -> None:
    import fcntl

    (cache / LOCK).parent.mkdir(parents=True)
    with (cache / LOCK).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with pytest.raises(FetchError, match="another process"):
            fetch("sample")
    assert site.requests == []
    fetch("sample")


# Names.


def test_the_cache_is_where_the_user_or_the_system_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    monkeypatch.delenv("NASBENCH_CACHE", raising=False)
    assert cache_folder() == pooch.os_cache("nasbench")
    monkeypatch.setenv("NASBENCH_CACHE", "")
    assert cache_folder() == pooch.os_cache("nasbench")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASBENCH_CACHE", "here")
    assert cache_folder() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("~/there") == tmp_path / "there"


def test_looking_into_the_cache_loads_no_downloader() -> None:
    code = (
        "import sys; from nasbench.sources.fetch import cached_table; cached_table('nasbench101'); "
        "print([n for n in ('pooch', 'requests', 'urllib3') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["../sample", "sample.h5", "", "nasbench201"])
def test_the_cache_holds_official_tables_only(name: str, cache: Path) -> None:
    (cache / "tables").mkdir(parents=True)
    for file in ("sample.h5", ".h5", "nasbench201.h5", "sample.h5.h5"):
        (cache / "tables" / file).write_bytes(b"")
    (cache / "sample.h5").write_bytes(b"")
    assert cached_table(name) is None
    assert hint(name) == ""


def test_an_unknown_name_is_told_with_its_neighbour(cache: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'nasbench101'"):
        fetch("nasbench_101")
    assert not cache.exists()


def test_an_installed_table_needs_no_fetching(cache: Path) -> None:
    assert fetch("nasbench201") == (Path(NASBENCH201), "nasbench201 is installed: nothing to fetch.")
    assert not cache.exists()


@pytest.mark.parametrize("name", [*OFFICIAL, *BY_HAND])
def test_a_table_that_is_not_here_yet_can_be_fetched(name: str) -> None:
    assert f"`nasbench fetch {name}`" in hint(name)
    assert name in names()
    assert name not in registry.names("tables")
    assert (OFFICIAL | BY_HAND)[name].converter in registry.names("converters")


def test_addresses_and_checksums_are_the_published_ones() -> None:
    """As the README of google-research/nasbench has them."""
    published = {
        "https://storage.googleapis.com/nasbench/nasbench_full.tfrecord": (
            "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c"
        ),
        "https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord": (
            "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1"
        ),
    }
    ours = [OFFICIAL["nasbench101"], OFFICIAL["nasbench101_only108"]]
    assert {official.address: official.sha256 for official in ours} == published


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples ../shared/data are not here")
def test_nas_bench_macro_arrives(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (SAMPLES / "nas_bench_macro" / "nas-bench-macro_cifar10.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == OFFICIAL["nas_bench_macro"].sha256
    with serving(Site(content, plan=[Answer(cut=700_000)]), "nas-bench-macro_cifar10.json") as site:
        monkeypatch.setitem(OFFICIAL, "nas_bench_macro", OFFICIAL["nas_bench_macro"]._replace(address=site.address))
        table = Table(fetch("nas_bench_macro").path)
    for text, entry in list(json.loads(content).items())[::50]:
        assert table.query(text).test_accuracy == pytest.approx(entry["mean_acc"] / 100, abs=1e-7)
    assert len(table) == 6561


# Files that only a browser can download.


def commands(message: str) -> list[list[str]]:
    steps = re.findall(r"^  \d\. (.*)$", message, re.MULTILINE)
    return [shlex.split(step) for step in steps if step.startswith(("tar", "nasbench"))]


@pytest.mark.parametrize("name", BY_HAND)
def test_what_to_do_by_hand_is_told_and_works(name: str, cache: Path) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(name)
    message = str(caught.value)
    file = BY_HAND[name]
    for part in (file.file, file.size, file.address, file.page):
        assert part in message
    *_, convert = commands(message)
    program, verb, converter, source, option, out = convert
    assert (program, verb, converter, option) == ("nasbench", "convert", file.converter, "--out")
    assert source in (file.file, file.file.removesuffix(".tar"))
    assert not cache.exists()
    Path(out).parent.mkdir(parents=True)
    shutil.copy(NASBENCH201, out)
    assert cached_table(name) == Path(out)
    assert "already" in fetch(name).message


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples ../shared/data are not here")
@pytest.mark.parametrize("name", ["nats_tss", "nats_sss"])
def test_the_commands_make_the_table(
    name: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(name)
    unpack, convert = commands(str(caught.value))
    assert unpack == ["tar", "xf", BY_HAND[name].file]
    (tmp_path / convert[3]).symlink_to((SAMPLES / name).resolve())  # three architectures of what the archive holds
    monkeypatch.chdir(tmp_path)
    assert main(convert[1:]) == 0, capsys.readouterr().err
    path = cached_table(name)
    assert path is not None
    assert len(Table(path)) == 3


def test_a_cache_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_CACHE", "~nosuchuser/x")
    with pytest.raises(FetchError, match=r"^~nosuchuser/x: there is no such user.* NASBENCH_CACHE to a folder\.$"):
        cache_folder()
    with pytest.raises(FetchError, match=r"^~nosuchuser: there is no such user"):
        cache_folder("~nosuchuser")


@pytest.mark.skipif(sys.platform == "win32", reason="a user without a home is known on POSIX systems only")
def test_a_user_without_a_home_is_told_so_and_gets_no_folder_named_tilde(tmp_path: Path) -> None:
    code = (
        "import pwd, os\n"
        "def unknown(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = unknown\n"
        "import nasbench.cli; raise SystemExit(nasbench.cli.main(['fetch', 'nas_bench_macro']))"
    )
    hidden = {"HOME", "XDG_CACHE_HOME", "NASBENCH_CACHE"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "the home folder of this user is not known" in ran.stderr
    assert "NASBENCH_CACHE" in ran.stderr
    assert [*tmp_path.iterdir()] == []


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX systems only")
def test_a_cache_or_a_raw_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    from nasbench.sources.cache import cached

    with pytest.raises(FileNameError, match=r"\\xff: the path has bytes that are no UTF-8"):
        cache_folder(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    source = tmp_path / os.fsdecode(b"macro\xff.json")
    source.write_bytes(raw(0))
    for read in (registry.find("converters", "nas-bench-macro"), lambda path: cached("nas-bench-macro", path)):
        with pytest.raises(FileNameError, match=r"macro\\xff\.json: the path has bytes that are no UTF-8"):
            read(source)
