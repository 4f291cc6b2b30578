"""Files appear whole or not at all, what killed processes left is removed, and errors name the file."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nasbench.cli import main
from nasbench.errors import FileNameError, NasbenchError
from nasbench.system import files
from nasbench.system.files import checked_path, remove_left_over, replacing, write_json

WRITE = "import sys; from nasbench.system.files import replacing\nwith replacing(sys.argv[1]) as name: "
NOT_UTF8 = os.fsdecode(b"r\xe9sultat.json")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no way to ask for a process")


def started(target: Path, then: str) -> subprocess.Popen[str]:
    """Start a process that writes to a file, and return it once it is in the middle of that."""
    # Started in the background of a shell, as CI may be, a process ignores what Ctrl-C sends.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heard}\n{WRITE}open(name, 'w').write('half'); print('there', flush=True); {then}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def killed(target: Path) -> Path:
    """Kill a process while it writes to a file; return what it leaves."""
    with started(target, "sys.stdin.read()") as process:
        process.kill()
    (left,) = target.parent.glob(f".{target.name}.*.partial")
    return left


@posix
def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_to_the_folder(tmp_path: Path) -> None:
    left = killed(tmp_path / "table.h5")
    assert left.read_text() == "half"
    subprocess.run([sys.executable, "-c", f"{WRITE}open(name, 'w').write('whole')", tmp_path / "other"], check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert (tmp_path / "other").read_text() == "whole"


@posix
def test_what_a_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    with started(tmp_path / "table.h5", "sys.stdin.read()") as process:
        remove_left_over(tmp_path)
        assert len([*tmp_path.iterdir()]) == 1
        process.communicate("go on\n")
    assert process.returncode == 0
    assert (tmp_path / "table.h5").read_text() == "half"
    assert len([*tmp_path.iterdir()]) == 1


@posix
def test_files_of_other_machines_and_other_hidden_files_are_left_alone(tmp_path: Path) -> None:
    left = killed(tmp_path / "table.h5")
    machine, process = left.name.removesuffix(".partial").split(".")[-1].split("-")[:2]
    other = f"{int(machine, 16) ^ 1:08x}"
    names = {
        f".table.h5.{other}-{process}-1.partial",
        f".table.h5.{machine}-1-1.partial",  # process 1 is always there
        f".table.h5.{process}-1.partial",  # without a machine, as older versions wrote it
        f"table.h5.{machine}-{process}-1.partial",
        f".table.h5.{machine}-{process}-1.partial.version",
        "official.bin.partial",
    }
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / f".folder.{machine}-{process}-1.partial").mkdir()
    remove_left_over(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == names
    remove_left_over(tmp_path / "not there")


def test_a_folder_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(files, "remove_left_over", looked.append)
    for name in "abc":
        write_json(tmp_path / name, 1)
    assert looked == [str(tmp_path)]


def test_threads_of_one_process_do_not_meet(tmp_path: Path) -> None:
    barrier = threading.Barrier(2)

    def write(text: str) -> None:
        with replacing(tmp_path / "file") as name:
            Path(name).write_text(text)
            barrier.wait(10)

    threads = [threading.Thread(target=write, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file").read_text() in ("one", "two")
    assert len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, "." + "x" * 200])
def test_as_long_a_name_as_the_file_system_takes(tmp_path: Path, name: str) -> None:
    write_json(tmp_path / name, [1])
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=re.escape(str(tmp_path / "file"))) as caught, replacing(tmp_path / "file"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "file"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_as_the_system_tells_it(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/file'$"),
        replacing(tmp_path / "file"),
        open("/dev/full", "w") as full,
    ):
        full.write("text")


def test_a_library_that_gives_no_number_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"file: cannot be written: Unable to do it$"), replacing(tmp_path / "file"):
        raise OSError("Unable to\n do it")


def test_a_file_that_cannot_be_opened_is_called_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(OSError, match=r"folder'?$"):
        write_json(tmp_path / "folder" / "file", 1)
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match=r"taken'$") as caught:
        write_json(tmp_path / "taken", 1)
    assert ".partial" not in str(caught.value)


def test_errors_about_other_files_and_our_own_are_as_they_were(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="elsewhere"), replacing(tmp_path / "file"):
        (tmp_path / "elsewhere").read_bytes()
    with pytest.raises(NasbenchError, match=r"^ours$"), replacing(tmp_path / "file"):
        raise NasbenchError("ours")


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX systems only")
def test_a_name_that_is_no_utf8_is_refused_in_words_that_can_be_printed(tmp_path: Path) -> None:
    for path in (tmp_path / NOT_UTF8, tmp_path / NOT_UTF8 / "file.json"):
        with pytest.raises(
            FileNameError, match=r"r\\xe9sultat\.json.*: the path has bytes that are no UTF-8"
        ) as caught:
            write_json(path, 1)
        str(caught.value).encode()
    with pytest.raises(FileNameError, match="zero byte"):
        checked_path("a\0b")
    assert [*tmp_path.iterdir()] == []
    assert checked_path(tmp_path / "Änderung") == str(tmp_path / "Änderung")


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX systems only")
def test_a_command_refuses_it_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "nasbench201", "--out", str(tmp_path / os.fsdecode(b"\xff.csv"))]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert [*tmp_path.iterdir()] == []


@posix
def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path / "table.h5", "sys.stdin.read()") as process:
        process.send_signal(signal.SIGINT)
    assert [*tmp_path.iterdir()] == []
