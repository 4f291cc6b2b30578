"""The same seed gives the same bytes: in any process, under any hash seed, today and in the next version.

tests/golden/ holds the first evaluations of each baseline. They change on purpose only:
``python tests/search/test_determinism.py`` writes them anew.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nasbench import Budget, History, load, registry, run
from nasbench.testing import Landscape, made
from nasbench.types import Seed

GOLDEN = Path(__file__).parent / "golden"
SEARCHERS = registry.names("searchers")
# They solve linear equations or add up in the order of the machine's library: the same in any process, but not to the
# last bit on any machine, so that there is no golden file.
LEARNED = ["bananas", "gp_expected_improvement", "tree_confidence_bound", "lstm_reinforce", "ppo"]


def searched(name: str, budget: float, seed: Seed, drawn: Seed) -> History:
    """One search of the embedded table; of a made-up benchmark, on workers, where the table lacks what it needs."""
    table = load("nasbench201")
    kind = registry.find("searchers", name)
    if {"fidelities", "objectives"} & {*inspect.signature(kind).parameters}:
        return run(made(kind, table.space, seed), Landscape(table.space), Budget(budget), seed=drawn, workers=3)
    return run(kind(table.space, seed=seed), table, Budget(budget), seed=drawn)


def trajectory(name: str) -> dict[str, list[float]]:
    """Three times the first 40 evaluations: what was asked for, and the count of correct images that was seen."""
    histories = [searched(name, 40, [2026, r], [r, 1]) for r in range(3)]
    return {
        "architectures": ["".join(map(str, a)) for h in histories for a in h.architectures.tolist()],
        "correct_images": [round(v * 25_000) for h in histories for v in h.validation_accuracy.tolist()],
    }


@pytest.mark.parametrize("name", [name for name in SEARCHERS if name not in LEARNED])
def test_golden_trajectory(name):
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    assert trajectory(name) == golden, f"{name} searches differently. On purpose? Run: python {Path(__file__).name}"


def test_three_fresh_processes_with_other_hash_seeds_give_the_same_bytes(tmp_path):
    code = (
        "import sys; from test_determinism import LEARNED, SEARCHERS, searched\n"
        "from nasbench.search.history import save_histories\n"
        "for name in SEARCHERS:\n"
        "    done = searched(name, 40 if name in LEARNED else 300, 1, 2)\n"
        "    save_histories(f'{sys.argv[1]}/{name}.h5', [done])\n"
        "print(hash('nasbench'))"
    )
    files, hashes = set(), set()
    for seed in ("0", "1", "random"):
        path = tmp_path / seed
        path.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], env=environment, capture_output=True, text=True, check=True
        )
        files.add(hashlib.sha256(b"".join(file.read_bytes() for file in sorted(path.iterdir()))).hexdigest())
        hashes.add(done.stdout)
    assert len(hashes) == 3, "the processes did not differ, so this test would show nothing"
    assert len(files) == 1


@pytest.mark.parametrize("name", SEARCHERS)
def test_other_searches_beside_it_change_nothing(name):
    budget = 30 if name in LEARNED else 100
    alone = searched(name, budget, 1, 2)
    for other in SEARCHERS:
        searched(other, 15, 9, 9)
    assert searched(name, budget, 1, 2) == alone


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for searcher in [name for name in SEARCHERS if name not in LEARNED]:
        (GOLDEN / f"{searcher}.json").write_text(json.dumps(trajectory(searcher), indent=0) + "\n")
