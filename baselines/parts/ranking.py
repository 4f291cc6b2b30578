"""The order of NSGA-II: by constraints, then by non-dominated fronts, then by crowding distance.

K. Deb, A. Pratap, S. Agarwal and T. Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE
Transactions on Evolutionary Computation 2002, sections III and VI. Lower is better in every objective. Made for a few
hundred points at a time, very often.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nasbench.types import Architecture

Point = tuple[float, ...]


class Member(NamedTuple):
    """What was told of a trial. Members compare by age."""

    number: int
    """In the order of telling."""
    violation: float
    """0 where all constraints hold."""
    losses: Point
    """The objectives, lower is better."""
    architecture: Architecture


def ranked(pool: Sequence[Member], n: int) -> list[Member]:
    """Return the first n members, the best first.

    By Deb's rule those that keep all constraints are before the others, which are in order of their violation. Equal
    ones stay in order.

    Args:
        pool: All, the oldest first.
        n: How many are wanted.
    """
    feasible = [member for member in pool if not member.violation]
    losses = [member.losses for member in feasible]
    best: list[Member] = []
    for front in non_dominated_fronts(losses):
        distances = crowding_distances([losses[place] for place in front])
        best += [feasible[front[i]] for i in sorted(range(len(front)), key=lambda i: -distances[i])]
        if len(best) >= n:
            return best[:n]
    best += sorted([member for member in pool if member.violation], key=lambda member: member.violation)
    return best[:n]


def non_dominated_fronts(points: Sequence[Point]) -> list[list[int]]:
    """Return the places of the points, front by front, each in rising order; equal points share a front.

    Two objectives take one sweep, n log n: sorted by both, a point is dominated by a front if and only if the last
    point of this front is no worse in the second objective; and as these values rise from front to front, the first
    front that does not dominate it is found by bisection.
    """
    if points and len(points[0]) > 2:
        return _peeled(points)
    fronts: list[list[int]] = []
    last: list[float] = []
    front, before = 0, None
    for place in sorted(range(len(points)), key=points.__getitem__):
        point = points[place]
        if point != before:
            before, value = point, point[-1]
            front = bisect_right(last, value)
            if front == len(last):
                fronts.append([])
                last.append(value)
            else:
                last[front] = value
        fronts[front].append(place)
    for places in fronts:
        places.sort()
    return fronts


def crowding_distances(points: Sequence[Point]) -> list[float]:
    """Return how far the neighbours of each point of a front lie apart: the sum over the objectives.

    In each objective they are put in order, equal ones as they come, and what lies between the two neighbours is
    divided by what lies between the ends. The ends have an infinite distance, so have one or two points. An objective
    in which all are equal counts as zero.
    """
    n = len(points)
    if n <= 2:
        return [math.inf] * n
    distances = [0.0] * n
    for values in zip(*points, strict=True):
        order = sorted(range(n), key=values.__getitem__)
        ordered = [values[place] for place in order]
        span = ordered[-1] - ordered[0]
        if not span:
            continue
        for place, below, above in zip(order[1:-1], ordered, ordered[2:], strict=False):
            distances[place] += (above - below) / span
        distances[order[0]] = distances[order[-1]] = math.inf
    return distances


def _peeled(points: Sequence[Point]) -> list[list[int]]:
    """Return the fronts by comparing all pairs and taking off one front after the other."""
    n = len(points)
    no_worse = np.ones((n, n), np.bool_)
    for values in np.array(points).T:
        no_worse &= values[:, None] <= values
    dominates = no_worse & ~no_worse.T
    dominated_by = dominates.sum(axis=0)
    left = np.ones(n, np.bool_)
    fronts = []
    while left.any():
        front = np.flatnonzero(left & (dominated_by == 0))
        fronts.append(front.tolist())
        left[front] = False
        dominated_by -= dominates[front].sum(axis=0)
    return fronts
