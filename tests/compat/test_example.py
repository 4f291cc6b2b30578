"""The search script of examples/, which is written for nats_bench, runs under ours as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from _random_nats_table import write_table

from nasbench.compat.nats_bench import create

SCRIPT = Path(__file__).parents[2] / "examples" / "nats_bench_search.py"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("table") / "tss.h5")


def run(table: Path, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", "-m", "nasbench.compat", str(SCRIPT), str(table), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_both_searches_find_what_the_table_says(table, dataset):
    found = run(table, "--dataset", dataset, "--time-budget", "30000")
    api = create(table, "tss", verbose=False)
    parts = re.findall(
        r"(\w+): (\d+) architectures in (\d+) simulated seconds\n  best: (\S+), .* ([\d.]+) %\n  (.*)\n", found
    )
    assert [name for name, *_ in parts] == ["random_search", "regularized_evolution"]
    for _, trained, seconds, best, accuracy, last in parts:
        assert 30_000 <= int(seconds) < 30_000 + 12 * 30 + 10
        assert int(trained) > 50
        index = api.query_index_by_arch(best)
        searched = "cifar10-valid" if dataset == "cifar10" else dataset
        seeds = api.query_meta_info_by_index(index, "12").get_dataset_seeds(searched)
        validated = [api.get_more_info(index, searched, None, "12", seed)["valid-accuracy"] for seed in seeds]
        assert any(abs(value - float(accuracy)) < 0.006 for value in validated)
        final = api.get_more_info(index, dataset, None, "200", False)["test-accuracy"]
        assert last.startswith(f"test accuracy after 200 epochs {final:.2f} %")
    assert found.endswith(f"best of all by validation: {api.find_best(dataset, 'valid')}\n")


def test_the_same_seed_gives_the_same_search(table):
    first, again, other = (run(table, "--seed", seed, "--time-budget", "5000") for seed in ("3", "3", "4"))
    assert first == again != other
