"""Regularised evolution on NAS-Bench-101, as scripts have been written since 2019: nothing in it knows of this project.

E. Real, A. Aggarwal, Y. Huang and Q. V. Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI
2019: the best of a random tournament has a child, and the oldest of the population dies.

python nasbench101_evolution.py nasbench_full.tfrecord --budget 5000000
"""

import argparse
import collections
import copy
import random

import numpy as np

from nasbench import api

Individual = collections.namedtuple("Individual", ["fitness", "spec"])


class Evolution:
    """A population of cells, and what it has found."""

    def __init__(self, nasbench, num_vertices, population_size, tournament_size, mutation_rate, epochs):
        self.nasbench = nasbench
        self.num_vertices = num_vertices
        self.population = collections.deque(maxlen=population_size)
        self.tournament_size = tournament_size
        self.mutation_rate = mutation_rate
        self.epochs = epochs
        self.best = Individual(-1.0, None)
        self.evaluations = 0

    def random_spec(self):
        """Draw cells until one is valid."""
        allowed = self.nasbench.config["available_ops"]
        while True:
            matrix = np.random.randint(0, 2, size=(self.num_vertices, self.num_vertices))
            ops = ["input", *random.choices(allowed, k=self.num_vertices - 2), "output"]
            spec = api.ModelSpec(np.triu(matrix, 1), ops)
            if self.nasbench.is_valid(spec):
                return spec

    def mutate_spec(self, old):
        """Flip about one edge and change about one operation, until the cell is valid."""
        allowed = self.nasbench.config["available_ops"]
        while True:
            matrix, ops = copy.deepcopy(old.original_matrix), copy.deepcopy(old.original_ops)
            for src in range(self.num_vertices - 1):
                for dst in range(src + 1, self.num_vertices):
                    if random.random() < self.mutation_rate / self.num_vertices:
                        matrix[src, dst] = 1 - matrix[src, dst]
            for vertex in range(1, self.num_vertices - 1):
                if random.random() < self.mutation_rate / (self.num_vertices - 2):
                    ops[vertex] = random.choice([op for op in allowed if op != ops[vertex]])
            spec = api.ModelSpec(matrix, ops)
            if self.nasbench.is_valid(spec):
                return spec

    def evaluate(self, spec):
        """Query a cell, and let it join the population; whoever is the oldest leaves a full one."""
        individual = Individual(self.nasbench.query(spec, epochs=self.epochs)["validation_accuracy"], spec)
        self.population.append(individual)
        self.best = max(self.best, individual, key=lambda one: one.fitness)
        self.evaluations += 1

    def run(self, max_time_budget):
        """Evolve until training would have taken so many seconds."""
        self.nasbench.reset_budget_counters()
        while self.nasbench.training_time_spent <= max_time_budget:
            if len(self.population) < self.population.maxlen:
                self.evaluate(self.random_spec())
            else:
                tournament = random.sample(list(self.population), self.tournament_size)
                parent = max(tournament, key=lambda one: one.fitness)
                self.evaluate(self.mutate_spec(parent.spec))
        return self.best


def main():
    """Run one search and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="the file of NAS-Bench-101")
    parser.add_argument("--budget", type=float, default=5e6, help="training seconds")
    parser.add_argument("--vertices", type=int, default=7, help="largest number of vertices of a cell")
    parser.add_argument("--population", type=int, default=50)
    parser.add_argument("--tournament", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=108, choices=[4, 12, 36, 108])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    random.seed(options.seed)
    np.random.seed(options.seed)
    nasbench = api.NASBench(options.dataset, seed=options.seed)
    search = Evolution(nasbench, options.vertices, options.population, options.tournament, 1.0, options.epochs)
    best = search.run(options.budget)

    time_spent, epochs_spent = nasbench.get_budget_counters()
    _, computed = nasbench.get_metrics_from_spec(best.spec)
    mean_test = np.mean([run["final_test_accuracy"] for run in computed[108]])
    print("evaluated %d models in %.0f seconds, %d epochs" % (search.evaluations, time_spent, epochs_spent))
    print("best validation accuracy %.4f after %d epochs" % (best.fitness, options.epochs))
    print("mean test accuracy of that model %.4f" % mean_test)


if __name__ == "__main__":
    main()
