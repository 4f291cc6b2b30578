"""Random search and regularized evolution on NATS-Bench's topology space, as scripts for nats_bench do it.

    python -m nasbench.compat examples/nats_bench_search.py PATH

PATH is a table (nats_tss.h5) or the official folder NATS-tss-v1_0-3ffb9-simple. The script knows nothing of us: with
the folder it also runs as `python examples/nats_bench_search.py PATH` where nats_bench is installed.
"""

import argparse
import collections
import random

import nats_bench


def random_architecture(operations, nodes):
    """Draw an operation for every edge."""
    edges = [[f"{random.choice(operations)}~{source}" for source in range(target)] for target in range(1, nodes)]
    return "+".join(f"|{'|'.join(node)}|" for node in edges)


def mutate(architecture, operations):
    """Change the operation of one edge."""
    nodes = [node.strip("|").split("|") for node in architecture.split("+")]
    node = random.choice([node for node in nodes for _ in node])
    i = random.randrange(len(node))
    old, source = node[i].split("~")
    node[i] = f"{random.choice([operation for operation in operations if operation != old])}~{source}"
    return "+".join(f"|{'|'.join(node)}|" for node in nodes)


def random_search(api, dataset, budget, space):
    """Train random architectures for 12 epochs until the simulated time is spent; return the best."""
    best, best_accuracy, trained = None, -1.0, 0
    api.reset_time()
    while api.used_time < budget:
        architecture = random_architecture(space["op_names"], space["num_nodes"])
        accuracy, _, _, _ = api.simulate_train_eval(architecture, dataset, hp="12")
        trained += 1
        if accuracy > best_accuracy:
            best, best_accuracy = architecture, accuracy
    return best, best_accuracy, trained


def regularized_evolution(api, dataset, budget, space, population_size=10, tournament_size=3):
    """Aging evolution (Real et al., AAAI 2019) under the same clock."""
    population, history = collections.deque(), []
    api.reset_time()
    while api.used_time < budget:
        if len(population) < population_size:
            architecture = random_architecture(space["op_names"], space["num_nodes"])
        else:
            parent = max(random.sample(list(population), tournament_size), key=lambda member: member[1])
            architecture = mutate(parent[0], space["op_names"])
            population.popleft()
        accuracy, _, _, _ = api.simulate_train_eval(architecture, dataset, hp="12")
        population.append((architecture, accuracy))
        history.append((architecture, accuracy))
    best, best_accuracy = max(history, key=lambda member: member[1])
    return best, best_accuracy, len(history)


def main():
    """Run both searches and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--dataset", default="cifar10", choices=["cifar10", "cifar100", "ImageNet16-120"])
    parser.add_argument("--time-budget", type=float, default=20000, help="simulated seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    random.seed(options.seed)
    api = nats_bench.create(options.path, "tss", fast_mode=True, verbose=False)
    space = nats_bench.search_space_info("nats-bench", "tss")
    for search in (random_search, regularized_evolution):
        best, accuracy, trained = search(api, options.dataset, options.time_budget, space)
        index = api.query_index_by_arch(best)
        # The winner after 200 epochs, as the mean over all trainings: never seen by the search.
        final = api.get_more_info(index, options.dataset, hp="200", is_random=False)
        cost = api.get_cost_info(index, options.dataset, hp="200")
        print(f"{search.__name__}: {trained} architectures in {api.used_time:.0f} simulated seconds")
        print(f"  best: {best}, validation accuracy after 12 epochs {accuracy:.2f} %")
        print(f"  test accuracy after 200 epochs {final['test-accuracy']:.2f} %, {cost['params']:.3f} M parameters")
    print(f"best of all by validation: {api.find_best(options.dataset, 'valid', hp='12', enforce_all=False)}")


if __name__ == "__main__":
    main()
