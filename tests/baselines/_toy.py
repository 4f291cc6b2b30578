"""A made-up benchmark whose every epoch takes a second, and how long its workers idled."""

from __future__ import annotations

import numpy as np

from nasbench.types import Metrics


class Toy:
    """What run() needs of a benchmark: the accuracies are given, the seconds are epochs times the speed given."""

    name, dataset, digest, origin = "toy", "none", "toy", "recorded"

    def __init__(self, space, fidelities, accuracy, speed=lambda architecture: 1.0):
        self.space, self.fidelities, self.accuracy, self.speed = space, fidelities, accuracy, speed

    def runs(self, architecture, *, schedule=None, epoch=None):
        return (0,)

    def query(self, architecture, *, schedule=None, epoch=None, run=None):
        accuracy = self.accuracy(architecture, (schedule, epoch))
        return Metrics(accuracy, 0.0, 0.0, epoch * self.speed(architecture), 0.0, 1, 1, schedule, epoch, run)


def gaps(history, workers):
    """Return the seconds between the end of each training and the start of the worker's next one."""
    ends = history.starts + history.seconds
    return np.concatenate(
        [history.starts[history.workers == w][1:] - ends[history.workers == w][:-1] for w in range(workers)]
    )
