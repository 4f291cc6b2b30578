"""The package before nats_bench: the same answers under its own names, also over NAS-Bench-201's first files."""

from __future__ import annotations

import bz2
import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest
from _random_nats_table import write_table

from nasbench.compat import nas_201_api
from nasbench.compat.nas_201_api import NASBench201API
from nasbench.compat.nats_bench import create


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("table") / "some.h5", rows=400)


@pytest.fixture
def api(table: Path) -> NASBench201API:
    return NASBench201API(str(table), verbose=False, seed=5)


def test_the_older_signatures():
    def names(function: Any) -> list[str]:
        return [name for name in inspect.signature(function).parameters if name != "self"]

    # README of https://github.com/D-X-Y/NAS-Bench-201, version 2.1.
    assert names(NASBench201API.__init__)[:2] == ["file_path_or_dict", "verbose"]
    assert names(NASBench201API.simulate_train_eval) == ["arch", "dataset", "hp", "account_time"]
    assert names(NASBench201API.find_best) == ["dataset", "metric_on_set", "FLOP_max", "Param_max", "hp"]
    assert names(NASBench201API.get_more_info) == ["index", "dataset", "iepoch", "hp", "is_random"]
    assert names(NASBench201API.query_by_index) == ["arch_index", "dataname", "hp"]
    assert nas_201_api.NAS_BENCH_201_API_VERSION == "v2.1"
    assert nas_201_api.ArchResults is not nas_201_api.ResultsCount


def test_the_same_answers_as_the_newer_api(api, table):
    newer = create(table, "tss", verbose=False, seed=5)
    assert len(api) == 15_625
    for index in range(0, 400, 37):
        for dataset in ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120"):
            for hp in ("12", "200"):
                expected = newer.get_more_info(index, dataset, None, hp)
                assert api.get_more_info(index, dataset, hp=hp) == expected
                assert api.get_cost_info(index, dataset, hp) == newer.get_cost_info(index, dataset, hp)
        assert api.simulate_train_eval(index, "cifar100", "200") == newer.simulate_train_eval(
            index, "cifar100", None, "200"
        )
        assert api.query_info_str_by_arch(index) == newer.query_info_str_by_arch(index)
    assert api.used_time == newer.used_time > 0


def test_limits_by_their_older_names(api):
    means = [api.get_more_info(i, "cifar10-valid", None, "200", False)["valid-accuracy"] for i in range(400)]
    costs = [api.get_cost_info(i, "cifar10-valid", "200") for i in range(400)]
    for keyword, name, limit in (("FLOP_max", "flops", 50), ("Param_max", "params", 0.4)):
        index, accuracy = api.find_best("cifar10", "valid", hp="200", **{keyword: limit})
        allowed = [i for i in range(400) if costs[i][name] <= limit]
        assert index == max(allowed, key=means.__getitem__)
        assert accuracy == pytest.approx(means[index])
    assert api.find_best("cifar10", "valid", FLOP_max=0) == (-1, None)


def test_where_it_looks(tmp_path, monkeypatch, table):
    monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ValueError, match=r"NAS-Bench-201-v1_1-096897.*nasbench fetch nasbench201_v1_1"):
        NASBench201API()
    (tmp_path / "NAS-Bench-201-v1_1-096897.h5").symlink_to(table)
    assert NASBench201API(verbose=False).filename == "NAS-Bench-201-v1_1-096897.h5"


SETS = {
    "cifar10-valid": ["x-valid", "ori-test"],
    "cifar10": ["ori-test"],
    "cifar100": ["x-valid", "x-test", "ori-test"],
    "ImageNet16-120": ["x-valid", "x-test", "ori-test"],
}


@pytest.fixture
def first_file(raw: dict[str, Path], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A .pth file as torch wrote it before 1.6, of real results as the older trainer left them; and those results.

    Seed 777 has no times but a latency of single batches, 888 has times of epochs but no latency, 999 is missing.
    """
    meta, states = (
        pickle.loads(bz2.decompress((raw["tss"] / f"{name}.pickle.pbz2").read_bytes())) for name in ("meta", "000000")
    )
    for dataset in SETS:
        results = states["200"]["all_results"]
        del results[dataset, 999]
        states["200"]["dataset_seed"][dataset].remove(999)
        results[dataset, 777].update(train_times=None, eval_times={}, latency=[0.25, 0.5, 0.75])
        results[dataset, 888].update(train_times={epoch: 1.0 + epoch / 8 for epoch in range(200)}, latency=None)
    full, less = states["200"], states["12"]
    content = {"meta_archs": meta["meta_archs"], "total_archs": 15_625, "evaluated_indexes": [0]}
    content["arch2infos"] = {0: {"full": full, "less": less}}
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = (0x1950A86A20F9469CFC6C, 1001, system, content, [])
    path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    return path, full["all_results"]


@pytest.mark.filterwarnings("ignore:.*numpy.core.*:DeprecationWarning")
def test_a_first_file_of_nas_bench_201(first_file, tmp_path, monkeypatch):
    path, expected = first_file
    monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    api = NASBench201API(str(path), verbose=False)
    assert (len(api), api.evaluated_indexes, api.avaliable_hps) == (15_625, {0}, ["12", "200"])
    for dataset, sets in SETS.items():
        trainings = api.query_by_index(0, dataset, "200")
        assert list(trainings) == [777, 888]
        for seed, training in trainings.items():
            raw = expected[dataset, seed]
            assert training.get_train(5)["accuracy"] == pytest.approx(raw["train_acc1es"][5], abs=1e-6)
            for name in sets:
                found = training.get_eval(name)
                assert found["accuracy"] == pytest.approx(raw["eval_acc1es"][f"{name}@199"], abs=1e-6)
        untimed, timed = (api.get_more_info(0, dataset, 9, "200", seed) for seed in (777, 888))
        assert untimed["train-all-time"] is untimed["train-per-time"] is None
        assert timed["train-all-time"] == pytest.approx(sum(1.0 + epoch / 8 for epoch in range(10)), rel=1e-12)
        assert api.get_more_info(0, dataset, 9, "200", False)["train-all-time"] is None
        costs = api.get_cost_info(0, dataset, "200")
        assert costs["latency"] == 0.5
        assert costs["T-train@total"] == pytest.approx(200 + 199 * 200 / 2 / 8, rel=1e-12)
        assert trainings[888].get_train(9)["cur_time"] == pytest.approx(1.0 + 9 / 8, rel=1e-12)
        assert (trainings[888].get_latency(), trainings[777].train_times) == (-1.0, None)
    assert api.get_latency(0, "cifar10", "200") == 0.5
