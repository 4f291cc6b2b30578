"""``from nasbench import api`` against the raw records, and against the original's rules written down plainly."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pickle
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _nb101_files import PLAIN, write_records
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench import api, registry, tables
from nasbench.errors import (
    ConversionError,
    FetchError,
    InvalidArchitectureError,
    NasbenchError,
    TableFileError,
    UnknownNameError,
)
from nasbench.sources.nasbench101.converter import convert
from nasbench.spaces.nb101 import NB101

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
SAMPLE = DATA / "nb101_tfrecord/synth_full.tfrecord"
EC_NAS = DATA / "ec_nas/energy_4V9E.tfrecord"

C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
INCEPTION = [
    [0, 1, 1, 1, 0, 1, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0],
]
INCEPTION_OPS = ["input", C1, C3, C3, C3, MP, "output"]
INCEPTION_HASH = "28cfc7874f6d200472e1a9dcd8650aa0"
NAMES = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
DOMAIN = {"module_vertices": 7, "max_edges": 9, "num_repeats": 3, "available_ops": [C3, C1, MP]}

Trainings = list[dict[str, Any]]


def matrix_of(digits: str) -> np.ndarray:
    side = round(len(digits) ** 0.5)
    return np.array(list(map(int, digits)), np.int8).reshape(side, side)


class Original:
    """What the original does, record by record and draw by draw, for cells that are given by their hash."""

    def __init__(self, trainings: Trainings, seed: Any = None) -> None:
        self.fixed: dict[str, Any] = {}
        self.computed: dict[str, Any] = {}
        for training in trainings:
            self.fixed.setdefault(
                training["hash"],
                {
                    "module_adjacency": matrix_of(training["adjacency"]),
                    "module_operations": training["operations"].split(","),
                    "trainable_parameters": training["parameters"],
                },
            )
            _, half, final = training["evaluations"]
            self.computed.setdefault(training["hash"], {}).setdefault(training["epochs"], []).append(
                {f"halfway_{name}": half[i] for i, name in enumerate(NAMES, start=2)}
                | {f"final_{name}": final[i] for i, name in enumerate(NAMES, start=2)}
            )
        self.spent: tuple[float, int] = (0.0, 0)
        random.seed(seed)  # the process's own numbers: see the fixture that puts them back

    def query(self, name: str, epochs: int, half: bool) -> dict[str, Any]:
        drawn = self.computed[name][epochs][random.randint(0, 3 - 1)]
        found = {metric: drawn[f"{'halfway' if half else 'final'}_{metric}"] for metric in NAMES}
        self.spent = self.spent[0] + found["training_time"], self.spent[1] + (epochs // 2 if half else epochs)
        return self.fixed[name] | found


@pytest.fixture(autouse=True)
def global_numbers() -> Iterator[None]:
    """The original seeds the random numbers of the process."""
    state = random.getstate()
    yield
    random.setstate(state)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_records(tmp_path_factory.mktemp("records") / "nasbench_full.tfrecord")


@pytest.fixture(scope="module")
def trainings(source: Path) -> Trainings:
    return read(source)


def read(file: Path) -> Trainings:
    found: Trainings = PLAIN["trainings"](file.read_bytes())
    return found


@pytest.fixture(scope="module")
def path(source: Path) -> Path:
    target = source.with_name("table.h5")
    tables.write(target, convert(source))
    return target


@pytest.fixture
def nasbench(path: Path) -> api.NASBench:
    return api.NASBench(str(path), seed=0)


@pytest.fixture(scope="module")
def shared(path: Path) -> api.NASBench:
    """One object for all examples of hypothesis."""
    return api.NASBench(path)


@pytest.fixture(scope="module")
def specs(trainings: Trainings) -> dict[str, api.ModelSpec]:
    return {t["hash"]: api.ModelSpec(matrix_of(t["adjacency"]), t["operations"].split(",")) for t in trainings}


def inception() -> api.ModelSpec:
    return api.ModelSpec(INCEPTION, INCEPTION_OPS)


def same(found: Any, expected: Any) -> None:
    """Equal to the last bit and in the order of keys, with the types that the original returns."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            same(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.tolist()) == (expected.dtype, expected.tolist())
    else:
        assert found == expected


class TestRecords:
    def test_every_record_of_a_file(self, nasbench: api.NASBench, trainings: Trainings) -> None:
        self.compare(nasbench, Original(trainings))

    @pytest.mark.skipif(not SAMPLE.exists(), reason="the samples ../shared/data/nb101_tfrecord are not here")
    def test_every_record_of_the_sample(self, tmp_path: Path) -> None:
        tables.write(tmp_path / "sample.h5", convert(SAMPLE))
        self.compare(api.NASBench(tmp_path / "sample.h5"), Original(read(SAMPLE)))

    def compare(self, nasbench: api.NASBench, original: Original) -> None:
        assert nasbench.valid_epochs == {4, 12, 36, 108}
        assert sorted(nasbench.hash_iterator()) == sorted(original.fixed)
        for name in original.fixed:
            fixed, computed = nasbench.get_metrics_from_hash(name)
            same(fixed, original.fixed[name])
            same(computed, {epochs: original.computed[name][epochs] for epochs in (4, 12, 36, 108)})
            same(nasbench.fixed_statistics[name], fixed)
            same(nasbench.computed_statistics[name], computed)

    def test_by_spec_is_by_hash(self, nasbench: api.NASBench, specs: dict[str, api.ModelSpec]) -> None:
        for name, spec in specs.items():
            for found, expected in zip(
                nasbench.get_metrics_from_spec(spec), nasbench.get_metrics_from_hash(name), strict=True
            ):
                same(found, expected)
        assert nasbench.get_budget_counters() == (0.0, 0)

    def test_fractions_are_quotients_in_single_precision(self, path: Path, tmp_path: Path) -> None:
        """The official notebook prints two of them."""
        content = tables.read_content(path)
        columns = content.datasets["cifar10"].schedules[108]
        counts = columns["validation_accuracy"].values.copy()
        counts[0, 1] = (9361, 9297, 1)
        columns["validation_accuracy"] = columns["validation_accuracy"]._replace(values=counts)  # type: ignore[index]
        tables.write(tmp_path / "changed.h5", content)
        nasbench = api.NASBench(tmp_path / "changed.h5")
        first = nasbench.computed_statistics[next(iter(nasbench.hash_iterator()))][108]
        found = [training["final_validation_accuracy"] for training in first]
        assert found == [0.9376001358032227, 0.9311898946762085, float(np.float32(1) / np.float32(9984))]

    def test_the_readme_example(self, nasbench: api.NASBench) -> None:
        spec = inception()
        assert nasbench._hash_spec(spec) == INCEPTION_HASH
        found = nasbench.query(spec)
        assert found["trainable_parameters"] == 2_694_282
        # Not the form that was given, but that of the official file; the notebook prints it.
        assert found["module_operations"] == ["input", C3, C1, MP, C3, C3, "output"]

    def test_the_mappings(self, nasbench: api.NASBench, trainings: Trainings) -> None:
        for mapping in (nasbench.fixed_statistics, nasbench.computed_statistics):
            assert len(mapping) == len(list(mapping)) == len(mapping.keys()) == len(mapping.items()) == 5
            assert set(mapping) == {training["hash"] for training in trainings}
            assert [name for name, _ in mapping.items()] == list(mapping.keys())
            assert INCEPTION_HASH in mapping
            assert mapping.get("0" * 32, "none") == "none"
            with pytest.raises(TypeError):
                mapping[INCEPTION_HASH] = {}  # type: ignore[index]
            for wrong in ("0" * 32, INCEPTION_HASH.upper(), INCEPTION_HASH[:-1], "", 5, None):
                assert wrong not in mapping
                with pytest.raises(KeyError, match="has this hash"):
                    mapping[wrong]

    def test_unknown_hash(self, nasbench: api.NASBench) -> None:
        with pytest.raises(KeyError, match="0" * 32):
            nasbench.get_metrics_from_hash("0" * 32)

    def test_configuration_and_history(self, nasbench: api.NASBench) -> None:
        assert {key: nasbench.config[key] for key in DOMAIN} == DOMAIN
        assert (nasbench.config["train_epochs"], nasbench.config["num_labels"]) == (108, 10)
        assert nasbench.history == {}
        nasbench.config["available_ops"].append("changed")
        assert api.NASBench(nasbench._records.table.path).config["available_ops"] == [C3, C1, MP]


class TestQuery:
    @pytest.mark.parametrize("seed", [0, 7, 2**70, 1.5, "text", b"bytes", np.int64(7)])
    def test_draws_what_the_original_draws(
        self, seed: Any, path: Path, trainings: Trainings, specs: dict[str, api.ModelSpec]
    ) -> None:
        original = Original(trainings, int(seed) if isinstance(seed, np.int64) else seed)
        nasbench = api.NASBench(path, seed=seed)
        questions = np.random.default_rng(0)
        names = sorted(specs)
        wrong = api.ModelSpec(np.zeros((3, 3)), ["input", C3, "output"])
        for _ in range(150):
            name = names[questions.integers(len(names))]
            epochs, half = [4, 12, 36, 108][questions.integers(4)], bool(questions.integers(2))
            same(nasbench.query(specs[name], epochs, stop_halfway=half), original.query(name, epochs, half))
            same(nasbench.get_budget_counters(), original.spent)
            # None of these draws, or costs.
            nasbench.is_valid(wrong)
            nasbench.get_metrics_from_spec(specs[name])
            with pytest.raises(api.OutOfDomainError):
                nasbench.query(wrong)
            with pytest.raises(api.OutOfDomainError):
                nasbench.query(specs[name], epochs=50)

    def test_defaults(self, nasbench: api.NASBench) -> None:
        finals = [t["final_training_time"] for t in nasbench.computed_statistics[INCEPTION_HASH][108]]
        found = nasbench.query(inception())
        assert found["training_time"] in finals
        assert nasbench.get_budget_counters() == (found["training_time"], 108)
        assert (nasbench.training_time_spent, nasbench.total_epochs_spent) == nasbench.get_budget_counters()

    def test_every_question_costs_in_full(self, nasbench: api.NASBench) -> None:
        """No credit for what was asked before, shorter or half-way, nor for another form of the cell."""
        spec, spent = inception(), 0.0
        for epochs, half in ((4, False), (12, False), (108, True), (108, False), (108, False)):
            spent += nasbench.query(spec, epochs=epochs, stop_halfway=half)["training_time"]
        assert nasbench.get_budget_counters() == (spent, 4 + 12 + 54 + 108 + 108)
        assert nasbench.reset_budget_counters() is None
        assert nasbench.get_budget_counters() == (0.0, 0)

    def test_all_three_trainings_are_drawn(self, nasbench: api.NASBench) -> None:
        assert len({nasbench.query(inception())["training_time"] for _ in range(50)}) == 3
        nasbench.config["num_repeats"] = 1
        assert len({nasbench.query(inception())["training_time"] for _ in range(50)}) == 1

    def test_without_a_seed_objects_differ(self, path: Path) -> None:
        drawn = [[n.query(inception())["training_time"] for _ in range(40)] for n in map(api.NASBench, [path] * 2)]
        assert drawn[0] != drawn[1]

    def test_leaves_the_random_numbers_of_the_process_alone(self, path: Path) -> None:
        before = random.getstate(), repr(np.random.get_state())
        for seed in (None, 5):
            nasbench = api.NASBench(path, seed=seed)
            nasbench.query(inception())
        assert (random.getstate(), repr(np.random.get_state())) == before

    def test_two_objects_do_not_disturb_each_other(self, path: Path) -> None:
        def draws(nasbench: api.NASBench) -> float:
            return nasbench.query(inception())["training_time"]

        alone = api.NASBench(path, seed=1)
        expected = [draws(alone) for _ in range(20)]
        first, second = api.NASBench(path, seed=1), api.NASBench(path, seed=2)
        assert [(draws(first), draws(second))[0] for _ in range(20)] == expected

    def test_answers_are_the_callers_own(self, nasbench: api.NASBench) -> None:
        expected = copy.deepcopy(nasbench.get_metrics_from_hash(INCEPTION_HASH))
        for fixed, computed in (
            nasbench.get_metrics_from_hash(INCEPTION_HASH),
            nasbench.get_metrics_from_spec(inception()),
        ):
            fixed["module_adjacency"][:] = 7
            fixed["module_operations"].clear()
            computed[108][0]["final_test_accuracy"] = 0.0
            computed[108].pop()
            computed.clear()
        answer = nasbench.query(inception())
        answer["module_adjacency"][:] = 7
        answer["module_operations"].clear()
        for found, known in zip(nasbench.get_metrics_from_hash(INCEPTION_HASH), expected, strict=True):
            same(found, known)


OUTSIDE = [  # Each breaks the rules after its own as well, so that the order shows.
    (np.zeros((8, 8), int), ["x"] * 8, "invalid spec, provided graph is disconnected."),
    (np.triu(np.ones((8, 8), int), 1), ["x"] * 8, "too many vertices, got 8 (max vertices = 7)"),
    (np.triu(np.ones((7, 7), int), 1), ["x"] * 7, "too many edges, got 21 (max edges = 9)"),
    (np.triu(np.ones((5, 5)), 1), ["x"] * 5, "too many edges, got 10 (max edges = 9)"),
    (np.triu(np.ones((4, 4), int), 1), ["x"] * 4, "first operation should be 'input'"),
    (np.triu(np.ones((4, 4), int), 1), ["input", "x", "x", "x"], "last operation should be 'output'"),
    (
        np.triu(np.ones((4, 4), int), 1),
        ["input", C3, "x", "output"],
        f"unsupported op x (available ops = {[C3, C1, MP]})",
    ),
    (np.triu(np.ones((3, 3), int), 1), [0, 1, 2], "first operation should be 'input'"),
    (np.triu(np.ones((3, 3), int), 1), ["input", 1, "output"], f"unsupported op 1 (available ops = {[C3, C1, MP]})"),
]


class TestDomain:
    @pytest.mark.parametrize(("matrix", "ops", "message"), OUTSIDE)
    def test_refuses_in_the_order_and_words_of_the_original(
        self, matrix: np.ndarray, ops: list[Any], message: str, nasbench: api.NASBench
    ) -> None:
        spec = api.ModelSpec(matrix, ops)
        assert not nasbench.is_valid(spec)
        for ask in (nasbench.query, nasbench.get_metrics_from_spec):
            with pytest.raises(api.OutOfDomainError) as caught:
                ask(spec)
            assert str(caught.value) == message
            assert isinstance(caught.value, NasbenchError)
        assert nasbench.get_budget_counters() == (0.0, 0)

    def test_epochs_come_first(self, nasbench: api.NASBench) -> None:
        for epochs in (0, 54, 200, None, "108"):
            with pytest.raises(api.OutOfDomainError) as caught:
                nasbench.query(api.ModelSpec(*OUTSIDE[0][:2]), epochs=epochs)
            assert str(caught.value) == f"invalid number of epochs, must be one of {nasbench.valid_epochs}"

    def test_a_file_of_one_schedule_knows_no_other(self, tmp_path: Path) -> None:
        tables.write(tmp_path / "only108.h5", convert(write_records(tmp_path / "only108.tfrecord", [108])))
        nasbench = api.NASBench(tmp_path / "only108.h5")
        assert nasbench.valid_epochs == {108}
        nasbench.query(inception())
        with pytest.raises(api.OutOfDomainError, match=r"must be one of \{108\}"):
            nasbench.query(inception(), epochs=12)

    def test_a_cell_of_the_space_that_the_table_lacks(self, nasbench: api.NASBench, path: Path) -> None:
        """As in the original: valid, but a KeyError; it draws nothing and costs nothing."""
        spec = api.ModelSpec(np.eye(4, k=1, dtype=int), ["input", MP, MP, "output"])
        name = spec.hash_spec([C3, C1, MP])
        assert nasbench.is_valid(spec)
        for ask in (nasbench.query, nasbench.get_metrics_from_spec):
            with pytest.raises(KeyError, match=name):
                ask(spec)
        assert nasbench.get_budget_counters() == (0.0, 0)
        assert (
            nasbench.query(inception())["training_time"]
            == api.NASBench(path, seed=0).query(inception())["training_time"]
        )

    def test_entries_other_than_0_and_1_are_no_cell_of_the_table(self, nasbench: api.NASBench) -> None:
        """They change the published hash, so that the original does not find them either."""
        spec = inception()
        assert spec.matrix is not None
        spec.matrix = spec.matrix * 2
        nasbench.config["max_edges"] = 100
        with pytest.raises(KeyError):
            nasbench.query(spec)

    def test_specs_that_were_changed_are_judged_as_they_are(self, nasbench: api.NASBench) -> None:
        spec = inception()
        assert spec.ops is not None
        spec.ops[1] = "x"
        with pytest.raises(api.OutOfDomainError, match="unsupported op x"):
            nasbench.query(spec)

    @given(data=st.data())
    @settings(max_examples=60)
    def test_isomorphic_forms_with_loose_ends_are_the_same_cell(
        self, data: st.DataObject, shared: api.NASBench
    ) -> None:
        nasbench = shared
        name = data.draw(st.sampled_from(sorted(nasbench.fixed_statistics)))
        stored = nasbench.fixed_statistics[name]
        matrix, ops = relabelled(stored["module_adjacency"], stored["module_operations"], data)
        spec = api.ModelSpec(matrix, ops)
        assert nasbench.is_valid(spec)
        assert nasbench._hash_spec(spec) == name
        same(nasbench.get_metrics_from_spec(spec)[0], stored)
        found = nasbench.query(spec)
        same({key: found[key] for key in stored}, stored)

    @given(data=st.data())
    @settings(max_examples=60)
    def test_valid_means_valid_in_the_space(self, data: st.DataObject, shared: api.NASBench) -> None:
        n = data.draw(st.integers(2, 9))
        bits = data.draw(st.lists(st.sampled_from([0, 0, 1]), min_size=n * n, max_size=n * n))
        ops = [
            "input",
            *data.draw(st.lists(st.sampled_from([C3, C1, MP, "x"]), min_size=n - 2, max_size=n - 2)),
            "output",
        ]
        matrix = np.triu(np.array(bits).reshape(n, n), 1)
        try:
            NB101().from_cell(matrix, ops)
            expected = True
        except InvalidArchitectureError:
            expected = False
        assert shared.is_valid(api.ModelSpec(matrix, ops)) == expected


def relabelled(matrix: np.ndarray, ops: list[str], data: st.DataObject) -> tuple[np.ndarray, list[str]]:
    """Return another topological order of a cell, with up to two more vertices that lead, or come from, nowhere."""
    n = len(ops)
    order, rest = [0], set(range(1, n))
    while rest:
        ready = sorted(v for v in rest if not any(matrix[u, v] for u in rest) and (v != n - 1 or len(rest) == 1))
        order.append(data.draw(st.sampled_from(ready)))
        rest.remove(order[-1])
    result, names = matrix[np.ix_(order, order)].astype(int), [ops[v] for v in order]
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.integers(1, len(names) - 1))
        result = np.insert(np.insert(result, place, 0, axis=0), place, 0, axis=1)
        names.insert(place, "anything")
        if data.draw(st.booleans()):
            result[data.draw(st.integers(0, place - 1)), place] = 1
        else:
            result[place, data.draw(st.integers(place + 1, len(names) - 1))] = 1
    return result, names


class TestMissing:
    @pytest.fixture
    def gaps(self, path: Path, tmp_path: Path) -> api.NASBench:
        """The first cell lacks the second training of 108 epochs, and all of 4 epochs."""
        content = tables.read_content(path)
        for schedule, runs in ((108, [1]), (4, [0, 1, 2])):
            columns = content.datasets["cifar10"].schedules[schedule]
            for metric, column in columns.items():
                values = column.values.copy()
                values[0, :, runs] = tables.missing_value(values.dtype)
                columns[metric] = column._replace(values=values)  # type: ignore[index]
        tables.write(tmp_path / "gaps.h5", content)
        return api.NASBench(tmp_path / "gaps.h5", seed=0)

    def test_only_recorded_trainings_are_listed_and_drawn(self, gaps: api.NASBench, trainings: Trainings) -> None:
        original = Original(trainings)
        name = next(iter(gaps.hash_iterator()))
        recorded = original.computed[name][108]
        same(gaps.computed_statistics[name][108], [recorded[0], recorded[2]])
        assert list(gaps.computed_statistics[name]) == [12, 36, 108]
        stored = gaps.fixed_statistics[name]
        spec = api.ModelSpec(stored["module_adjacency"], stored["module_operations"])
        drawn = {gaps.query(spec)["training_time"] for _ in range(40)}
        assert drawn == {recorded[i]["final_training_time"] for i in (0, 2)}

    def test_a_schedule_without_trainings(self, gaps: api.NASBench) -> None:
        stored = gaps.fixed_statistics[next(iter(gaps.hash_iterator()))]
        spec = api.ModelSpec(stored["module_adjacency"], stored["module_operations"])
        with pytest.raises(KeyError, match="no training of this cell with 4 epochs"):
            gaps.query(spec, epochs=4)
        assert gaps.get_budget_counters() == (0.0, 0)


class TestCopies:
    def test_a_pickle_goes_on_where_the_object_was(self, nasbench: api.NASBench) -> None:
        for _ in range(5):
            nasbench.query(inception(), epochs=12)
        nasbench.config["max_edges"] = 10
        data = pickle.dumps(nasbench)
        assert len(data) < 20_000  # by path, not by content
        for other in (pickle.loads(data), copy.deepcopy(nasbench)):
            assert other.get_budget_counters() == nasbench.get_budget_counters()
            assert other.config == nasbench.config
            assert other.valid_epochs == nasbench.valid_epochs
        expected = [nasbench.query(inception())["training_time"] for _ in range(20)]
        for other in (pickle.loads(data), pickle.loads(data)):
            assert [other.query(inception())["training_time"] for _ in range(20)] == expected

    @pytest.mark.parametrize("method", [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()])
    def test_other_processes(self, method: str, nasbench: api.NASBench) -> None:
        code = (
            "import json, multiprocessing, sys, warnings\n"
            "from nasbench import api\n"
            "from job import times\n"
            "if __name__ == '__main__':\n"
            "    nasbench = api.NASBench(sys.argv[1], seed=0)\n"
            "    times(nasbench)\n"
            "    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:\n"
            "        print(json.dumps(pool.map(times, [nasbench] * 3)))\n"
        )
        folder = Path(nasbench._records.table.path).parent
        (folder / "job.py").write_text(
            "from nasbench import api\n"
            f"def times(nasbench):\n"
            f"    spec = api.ModelSpec({INCEPTION}, {INCEPTION_OPS})\n"
            "    return [nasbench.query(spec)['training_time'] for _ in range(10)]\n"
        )
        (folder / "main.py").write_text(code)
        done = subprocess.run(
            [sys.executable, str(folder / "main.py"), nasbench._records.table.path, method],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        drawn = [nasbench.query(inception())["training_time"] for _ in range(20)]
        assert json.loads(done.stdout) == [drawn[10:]] * 3

    def test_threads(self, path: Path, specs: dict[str, api.ModelSpec], trainings: Trainings) -> None:
        original, nasbench = Original(trainings), api.NASBench(path)
        problems: list[BaseException] = []

        def read() -> None:
            try:
                for name, spec in specs.items():
                    same(nasbench.get_metrics_from_spec(spec)[0], original.fixed[name])
                    same(nasbench.computed_statistics[name][36], original.computed[name][36])
                    times = [training["halfway_training_time"] for training in original.computed[name][12]]
                    assert nasbench.query(spec, epochs=12, stop_halfway=True)["training_time"] in times
            except BaseException as problem:
                problems.append(problem)

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []


class TestTFRecord:
    @pytest.fixture
    def cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache" / "tables"

    @pytest.fixture
    def file(self, source: Path, tmp_path: Path) -> Path:
        return Path(shutil.copyfile(source, tmp_path / "nasbench_full.tfrecord"))

    def test_is_converted_once(
        self, cache: Path, file: Path, trainings: Trainings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        nasbench = api.NASBench(str(file), seed=0)
        (table,) = cache.iterdir()
        said = capsys.readouterr()
        assert said.out == ""
        assert str(file) in said.err
        assert str(table) in said.err
        same(nasbench.computed_statistics[INCEPTION_HASH][4], Original(trainings).computed[INCEPTION_HASH][4])
        before = table.stat().st_mtime_ns
        again = api.NASBench(str(file), seed=0)
        same(again.query(inception()), nasbench.query(inception()))
        assert table.stat().st_mtime_ns == before
        assert [*cache.iterdir()] == [table]
        assert capsys.readouterr() == ("", "")

    def test_a_table_says_nothing(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        api.NASBench(path).query(inception())
        assert capsys.readouterr() == ("", "")

    def test_another_file_under_the_same_name_is_another_table(self, cache: Path, file: Path) -> None:
        assert api.NASBench(file).valid_epochs == {4, 12, 36, 108}
        write_records(file, [108])
        assert api.NASBench(file).valid_epochs == {108}
        assert len([*cache.iterdir()]) == 2

    def test_a_damaged_table_in_the_cache_is_made_again(self, cache: Path, file: Path) -> None:
        api.NASBench(file)
        (table,) = cache.iterdir()
        sound = table.read_bytes()
        table.write_bytes(sound[:1000])
        api.NASBench(file).query(inception())
        assert table.read_bytes() == sound

    def test_a_damaged_file_leaves_nothing(self, cache: Path, file: Path) -> None:
        file.write_bytes(file.read_bytes()[:-5])
        with pytest.raises(ConversionError, match=r"nasbench_full\.tfrecord"):
            api.NASBench(file)
        assert not cache.exists() or not [*cache.iterdir()]

    def test_a_cache_that_cannot_be_written(self, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "occupied").write_text("")
        monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "occupied"))
        with pytest.raises(FetchError, match="NASBENCH_CACHE"):
            api.NASBench(file)

    @pytest.mark.usefixtures("cache")
    def test_no_such_file(self, tmp_path: Path) -> None:
        for name, error in (("none.tfrecord", ConversionError), ("none.h5", TableFileError)):
            with pytest.raises(error, match=f"{name}: no such file"):
                api.NASBench(tmp_path / name)

    @pytest.mark.skipif(not EC_NAS.exists(), reason="the sample ../shared/data/ec_nas is not here")
    @pytest.mark.usefixtures("cache")
    def test_ec_nas_is_not_answered_as_nas_bench_101(self) -> None:
        """Its middle evaluation is after the first epoch, not half-way."""
        with pytest.raises(TableFileError, match=r"at epochs \(2, 4\), found .*\(1, 4\)"):
            api.NASBench(EC_NAS)

    def test_the_name_of_a_fetched_table(self, cache: Path, path: Path) -> None:
        cache.mkdir(parents=True)
        shutil.copyfile(path, cache / "nasbench101.h5")
        assert api.NASBench("nasbench101").is_valid(inception())


def test_refuses_what_is_no_table_of_nas_bench_101(tmp_path: Path) -> None:
    with pytest.raises(TableFileError, match=r"search space nb201.*nasbench\.load"):
        api.NASBench(registry.find("tables", "nasbench201"))
    with pytest.raises(UnknownNameError, match="unknown table 'nasbench_101'"):
        api.NASBench("nasbench_101")
    (tmp_path / "text.h5").write_text("no table")
    with pytest.raises(TableFileError, match="not a readable HDF5 file"):
        api.NASBench(tmp_path / "text.h5")


def test_refuses_a_table_that_cannot_answer_as_the_original(path: Path, tmp_path: Path) -> None:
    """Without a half-way evaluation or a metric; an accuracy without its number of images is no table at all."""
    for metric, change, message in (
        ("training_time", {"epochs": (1, 4)}, r"training_time of schedule 4 in seconds at epochs \(2, 4\), found"),
        ("train_accuracy", None, "train_accuracy of schedule 4 .* found nothing"),
    ):
        content = tables.read_content(path)
        columns: Any = content.datasets["cifar10"].schedules[4]
        column = columns.pop(metric)
        if change is not None:
            columns[metric] = column._replace(**change)
        tables.write(tmp_path / "other.h5", content, force=True)
        with pytest.raises(TableFileError, match=message):
            api.NASBench(tmp_path / "other.h5")


def test_a_table_without_hashes_still_answers_queries(path: Path, tmp_path: Path) -> None:
    tables.write(tmp_path / "nameless.h5", tables.read_content(path)._replace(hashes=None))
    nasbench = api.NASBench(tmp_path / "nameless.h5", seed=0)
    same(nasbench.query(inception()), api.NASBench(path, seed=0).query(inception()))
    asked: list[Callable[[], Any]] = [
        lambda: nasbench.get_metrics_from_hash(INCEPTION_HASH),
        lambda: list(nasbench.hash_iterator()),
    ]
    for ask in asked:
        with pytest.raises(TableFileError, match="has no official hashes"):
            ask()


def test_evaluate_says_that_it_does_not_train(nasbench: api.NASBench, tmp_path: Path) -> None:
    with pytest.raises(
        NotImplementedError, match=r"use query\(\).*nasbench verify.*nasbench train-table nb101"
    ) as caught:
        nasbench.evaluate(inception(), str(tmp_path / "model"))
    assert isinstance(caught.value, NasbenchError)
    assert not (tmp_path / "model").exists()


def test_importing_it_loads_no_more_than_numpy_and_h5py() -> None:
    heavy = [
        "tensorflow",
        "absl",
        "google",
        "torch",
        "scipy",
        "sklearn",
        "pandas",
        "matplotlib",
        "rich",
        "pooch",
        "requests",
    ]
    code = f"import sys\nfrom nasbench import api\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
