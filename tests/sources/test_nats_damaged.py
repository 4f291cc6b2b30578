"""Files of NATS-Bench that are not as they should be: each is refused, and the message says where and why."""

from __future__ import annotations

import bz2
import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
from _nats_synthetic import (
    EPOCHS,
    Figures,
    columns_of,
    meta,
    pack,
    texts,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import ConversionError, UnsafeFileError
from nasbench.sources.nats.nats_bench import convert
from nasbench.sources.nats.results import read_results


@pytest.fixture
def broken(folder, tmp_path):
    """Write the folder again with one file replaced."""

    def write(name: str, data: bytes) -> Path:
        copy = tmp_path / "broken"
        copy.mkdir(exist_ok=True)
        for path in folder.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        (copy / name).write_bytes(data)
        return copy

    return write


def packed(content: Any) -> bytes:
    return bz2.compress(pickle.dumps(content, 4))


class Malice:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self._reduced = call, arguments

    def __reduce__(self) -> Any:
        return self._reduced


@pytest.mark.parametrize("name", ["meta.pickle.pbz2", "000005.pickle.pbz2"])
def test_a_pickle_that_calls_the_system_is_refused_by_name(broken, name, tmp_path):
    witness = tmp_path / "witness"
    with pytest.raises(UnsafeFileError, match=r"posix\.system|nt\.system"):
        convert(broken(name, packed({"meta_archs": Malice(os.system, f"touch {witness}")})))
    assert not witness.exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends before the end of bzip2 data"),
        (b"just a text\n", "not bzip2, or damaged"),
        (bz2.compress(b"just a text\n"), "not a complete pickle"),
        (packed([1, 2]), "schedules 1, 2, expected '01', '12', '90'"),
        (packed(5), "not results of NATS-Bench or NAS-Bench-201: TypeError"),
        (packed({}), "schedules , expected '01', '12', '90'"),
        (packed({"01": {}, "12": {}, "90": {}}), "KeyError: 'arch_index'"),
        (packed(Figures().states("sss", 6)), "holds architecture 6, '8:8:8:8:56', expected 5"),
        (packed(Figures().states("tss", 5)), "schedules '12', '200', expected '01', '12', '90'"),
        (packed(5) + b"more", "goes on after the end of bzip2 data"),
        (bz2.compress(pickle.dumps(5) + b"more"), "more data after the pickle"),
    ],
)
def test_another_file_is_refused(broken, data, message):
    with pytest.raises(ConversionError, match="000005.*" + message):
        convert(broken("000005.pickle.pbz2", data))


def test_a_bzip2_bomb_is_refused_before_it_unfolds(broken):
    bomb = bz2.compress(bytes(50_000_000))
    with pytest.raises(ConversionError, match="unpacks to more than 100 times its size"):
        convert(broken("000005.pickle.pbz2", bomb))


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ({}, "expected a dictionary with the list 'meta_archs'"),
        ([], "expected a dictionary with the list 'meta_archs'"),
        ({"meta_archs": "8:8:8:8:8"}, "expected a dictionary with the list 'meta_archs'"),
        ({"meta_archs": ["8:8:8:8:8", "8:8:8:8:9"]}, "in meta_archs: '8:8:8:8:9' is no NATS-Bench size"),
        ({"meta_archs": texts("sss")[1:]}, "lists 32767 different architectures in 32767 entries"),
        ({"meta_archs": [*texts("sss")[1:], "8:8:8:8:16"]}, "lists 32767 different architectures in 32768 entries"),
    ],
)
def test_another_list_of_architectures_is_refused(broken, listed, message):
    with pytest.raises(ConversionError, match=message):
        convert(broken("meta.pickle.pbz2", packed(listed)))


def test_files_that_are_missing_or_too_many(broken, folder, tmp_path):
    with pytest.raises(ConversionError, match="no such file or folder"):
        convert(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConversionError, match=r"meta\.pickle\.pbz2: no such file"):
        convert(tmp_path / "empty")
    pack(tmp_path / "empty" / "meta.pickle.pbz2", meta("sss"))
    with pytest.raises(ConversionError, match="no architectures: expected files 000000"):
        convert(tmp_path / "empty")
    with pytest.raises(ConversionError, match="lists architectures, but has no results"):
        convert(folder / "meta.pickle.pbz2")
    data = (folder / "000005.pickle.pbz2").read_bytes()
    with pytest.raises(ConversionError, match="a second file for architecture 5"):
        convert(broken("5.pickle.pbz2", data))
    with pytest.raises(ConversionError, match="lists architectures 0 to 32767 only"):
        convert(broken("032768.pickle.pbz2", data))


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_names_its_file_whatever_the_number_of_processes(broken, processes):
    with pytest.raises(ConversionError, match=r"000040\.pickle\.pbz2: ends before"):
        convert(broken("000040.pickle.pbz2", b""), processes=processes)


def test_truncation_anywhere_is_refused(folder, broken):
    data = (folder / "000005.pickle.pbz2").read_bytes()
    for length in {*range(0, len(data), len(data) // 20), len(data) - 1}:
        with pytest.raises(ConversionError):
            convert(broken("000005.pickle.pbz2", data[:length]))


def test_a_flipped_bit_is_refused_or_harmless(folder, broken):
    """bzip2 checks its data; what it leaves unchecked are the size of its blocks and the padding after the end."""
    whole = columns_of(convert(folder))
    data = (folder / "000005.pickle.pbz2").read_bytes()
    rng = random.Random(0)
    harmless = 0
    for _ in range(25):
        bit = rng.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = convert(broken("000005.pickle.pbz2", bytes(flipped)))
        except ConversionError:
            continue
        harmless += 1
        assert columns_of(found) == whole
    assert harmless <= 2


def at(trial: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        trial = trial[key]
    trial[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("train_acc1es", 3), 50.001, "50.001 percent is no whole count of 25,000 images"),
        (("train_acc1es", 3), float("nan"), "nan percent is no whole count"),
        (("train_acc1es", 3), -0.004, "no whole count"),
        (("eval_acc1es", "x-valid@0"), 100.004, "no whole count of 25,000 images"),
        (("eval_acc1es", "ori-test@0"), 1e308, "no whole count of 10,000 images"),
        (("eval_acc1es", "ori-test@0"), "50", "TypeError"),
        (("train_losses", 3), "0.5", "TypeError"),
        (("train_losses", 12), 0.5, "1 of train_losses belong to no known split and epoch"),
        (("eval_acc1es", "x-test@0"), 50.0, "1 of eval_acc1es belong to no known split and epoch"),
        (("eval_losses", "x-valid@12"), 0.5, "1 of eval_losses belong to no known split and epoch"),
        (("train_times", 3), -1.0, "train_times: expected seconds, positive numbers"),
        (("train_times", 3), None, "train_times: expected seconds, positive numbers"),
        (("train_times",), {0: 1.0}, "train_times: seconds of 1 of 12 epochs"),
        (("eval_times",), {"x-valid@0": 1.0}, "eval_times: seconds of 1 of 12 epochs"),
        (("eval_times", "ori-test@3"), float("inf"), "eval_times: expected seconds, positive numbers"),
        (("latency",), [-1.0], "latency: expected seconds, positive numbers"),
        (("eval_names",), ["x-valid", "ori-test", "train"], "unknown split, 'train'"),
        (("eval_names",), ["x-valid", "x-test"], "unknown split, 'x-test'"),
        (("epochs",), 13, "holds a training of 'cifar10-valid', '0888', 13"),
        (("seed",), "0889", "holds a training of 'cifar10-valid', '0889', 12"),
        (("name",), "cifar10", "holds a training of 'cifar10', '0888', 12"),
        (("params",), None, "TypeError"),
        (("params",), float("nan"), "ValueError"),
    ],
)
def test_a_value_out_of_place_is_refused(path, value, message):
    states = Figures().states("sss", 5)
    at(states["12"]["all_results"]["cifar10-valid", 888], path, value)
    with pytest.raises(ConversionError, match=message):
        read_results(states, EPOCHS["sss"], 5, texts("sss")[5], "file")


def test_results_and_their_list_of_seeds_must_agree():
    states = Figures().states("sss", 5)
    states["12"]["dataset_seed"]["cifar10"].append(111)
    with pytest.raises(ConversionError, match="schedule 12: results and the list of their seeds differ"):
        read_results(states, EPOCHS["sss"], 5, texts("sss")[5], "file")
    states["12"]["dataset_seed"]["cifar10"].remove(111)
    states["12"]["dataset_seed"]["mnist"] = [1]
    states["12"]["all_results"]["mnist", 1] = states["12"]["all_results"]["cifar10", 777] | {"name": "mnist", "seed": 1}
    with pytest.raises(ConversionError, match="KeyError: 'mnist'"):
        read_results(states, EPOCHS["sss"], 5, texts("sss")[5], "file")


JUNK = st.one_of(
    st.none(), st.booleans(), st.text(max_size=5), st.floats(), st.integers(), st.just(10**400), st.just([]),
    st.just({}), st.just(("cifar10", 777)), st.lists(st.floats(), max_size=3), st.binary(max_size=3),
)  # fmt: skip


@given(st.data())
@settings(max_examples=300, derandomize=True, deadline=None)
def test_junk_anywhere_is_refused_or_kept_as_it_is(data):
    """Whatever stands where in the raw dictionary, there is a table or a ConversionError, and no other error."""
    states = Figures().states("sss", 5)
    node: Any = states
    for _ in range(data.draw(st.integers(0, 5))):
        key = data.draw(st.sampled_from([*node] if isinstance(node, dict) else [*range(len(node))]))
        if not isinstance(node[key], (dict, list)) or not node[key]:
            break
        node = node[key]
    junk = data.draw(JUNK)
    if isinstance(node, dict) and data.draw(st.booleans()):
        node[junk if junk.__hash__ else None] = data.draw(JUNK)
    else:
        node[data.draw(st.sampled_from([*node] if isinstance(node, dict) else [*range(len(node))]))] = junk
    refusal = ""
    try:
        found = read_results(states, EPOCHS["sss"], 5, texts("sss")[5], "file")
        assert {trial.schedule for trial in found.trials} <= {1, 12, 90}
    except ConversionError as error:
        refusal = str(error)
    assert refusal[:4] in ("", "file")
    assert len(refusal) < 500
