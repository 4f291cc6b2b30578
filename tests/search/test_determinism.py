"""The same seed gives the same bytes: in any process, under any hash seed, today and in the next version.

tests/golden/ holds the first evaluations of each baseline. They change on purpose only:
``python tests/search/test_determinism.py`` writes them anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nasbench import Budget, load, registry, run

GOLDEN = Path(__file__).parent / "golden"
SEARCHERS = registry.names("searchers")
# They solve linear equations or add up in the order of the machine's library: the same in any process, but not to the
# last bit on any machine, so that there is no golden file.
LEARNED = ["bananas", "gp_expected_improvement", "tree_confidence_bound"]


def trajectory(name: str) -> dict[str, list[float]]:
    """Three times the first 40 evaluations: what was asked for, and the count of correct images that was seen."""
    table = load("nasbench201")
    kind = registry.find("searchers", name)
    histories = [run(kind(table.space, seed=[2026, r]), table, Budget(40), seed=[r, 1]) for r in range(3)]
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
        "import sys; from nasbench import Budget, load, registry, run\n"
        "from nasbench.search.history import save_histories\n"
        "table = load('nasbench201')\n"
        "make = {name: registry.find('searchers', name) for name in registry.names('searchers')}\n"
        f"budgets = {{name: Budget(40 if name in {LEARNED} else 300) for name in make}}\n"
        "done = (run(make[name](table.space, seed=1), table, budgets[name], seed=2) for name in make)\n"
        "save_histories(sys.argv[1], done)\n"
        "print(hash('nasbench'))"
    )
    files, hashes = set(), set()
    for seed in ("0", "1", "random"):
        path = tmp_path / f"{seed}.h5"
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], env=environment, capture_output=True, text=True, check=True
        )
        files.add(hashlib.sha256(path.read_bytes()).hexdigest())
        hashes.add(done.stdout)
    assert len(hashes) == 3, "the processes did not differ, so this test would show nothing"
    assert len(files) == 1


@pytest.mark.parametrize("name", SEARCHERS)
def test_other_searches_beside_it_change_nothing(name):
    table = load("nasbench201")
    kind = registry.find("searchers", name)
    budget = Budget(30 if name in LEARNED else 100)
    alone = run(kind(table.space, seed=1), table, budget, seed=2)
    for other in SEARCHERS:
        run(registry.find("searchers", other)(table.space, seed=9), table, Budget(15), seed=9)
    assert run(kind(table.space, seed=1), load("nasbench201"), budget, seed=2) == alone


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for searcher in [name for name in SEARCHERS if name not in LEARNED]:
        (GOLDEN / f"{searcher}.json").write_text(json.dumps(trajectory(searcher), indent=0) + "\n")
