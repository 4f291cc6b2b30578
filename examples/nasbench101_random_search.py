"""Random search on NAS-Bench-101, as scripts have been written since 2019: nothing in it knows of this project.

python nasbench101_random_search.py nasbench_full.tfrecord --budget 5000000
"""

import argparse
import random

import numpy as np

from nasbench import api

INPUT, OUTPUT = "input", "output"
CONV3X3, CONV1X1, MAXPOOL3X3 = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
ALLOWED_OPS = [CONV3X3, CONV1X1, MAXPOOL3X3]


def random_spec(nasbench, num_vertices):
    """Draw matrices and operations until they make a valid cell."""
    while True:
        matrix = np.triu(np.random.choice([0, 1], size=(num_vertices, num_vertices)), 1)
        ops = [INPUT] + [random.choice(ALLOWED_OPS) for _ in range(num_vertices - 2)] + [OUTPUT]
        spec = api.ModelSpec(matrix=matrix, ops=ops)
        if nasbench.is_valid(spec):
            return spec


def run_random_search(nasbench, max_time_budget, num_vertices):
    """Query random cells until their training would have taken so many seconds; keep the best seen so far."""
    nasbench.reset_budget_counters()
    times, best_valids, best_tests = [0.0], [0.0], [0.0]
    best_spec = None
    while True:
        spec = random_spec(nasbench, num_vertices)
        data = nasbench.query(spec)
        # Chosen by validation accuracy; test accuracy is only reported.
        if data["validation_accuracy"] > best_valids[-1]:
            best_spec = spec
            best_valids.append(data["validation_accuracy"])
            best_tests.append(data["test_accuracy"])
        else:
            best_valids.append(best_valids[-1])
            best_tests.append(best_tests[-1])
        time_spent, _ = nasbench.get_budget_counters()
        times.append(time_spent)
        if time_spent > max_time_budget:
            return times, best_valids, best_tests, best_spec


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="the file of NAS-Bench-101")
    parser.add_argument("--budget", type=float, default=5e6, help="training seconds")
    parser.add_argument("--vertices", type=int, default=7, help="largest number of vertices of a cell")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    random.seed(options.seed)
    np.random.seed(options.seed)
    nasbench = api.NASBench(options.dataset, seed=options.seed)
    times, valids, tests, best = run_random_search(nasbench, options.budget, options.vertices)

    fixed, computed = nasbench.get_metrics_from_spec(best)
    mean_test = np.mean([run["final_test_accuracy"] for run in computed[108]])
    time_spent, epochs_spent = nasbench.get_budget_counters()
    print("evaluated %d models in %.0f seconds, %d epochs" % (len(times) - 1, time_spent, epochs_spent))
    print("best validation accuracy %.4f, its test accuracy %.4f" % (valids[-1], tests[-1]))
    print("mean test accuracy of that model %.4f, %d parameters" % (mean_test, fixed["trainable_parameters"]))
    print("operations: %s" % ", ".join(fixed["module_operations"]))
