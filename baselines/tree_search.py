"""Tree search over the decisions in their order: UCT.

L. Kocsis and C. Szepesvari, "Bandit Based Monte-Carlo Planning", ECML 2006, with the bound UCB1 of P. Auer,
N. Cesa-Bianchi and P. Fischer, "Finite-time Analysis of the Multiarmed Bandit Problem", Machine Learning 2002. Nobody
published it for tables of architectures: what makes it a search of one is our own and said below.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial


class _Node:
    """What is known of all architectures that begin alike.

    Args:
        left: Architectures below that may still be proposed.
        choices: Of the next decision; 0 for an architecture.
    """

    __slots__ = ("children", "left", "told", "total", "visits")

    def __init__(self, left: int, choices: int) -> None:
        self.children: list[_Node | None] = [None] * choices
        self.left = left
        self.visits = self.told = 0
        self.total = 0.0


class TreeSearch:
    """Walk from the first decision to the last by upper confidence bounds.

    A node of the tree is a beginning of architectures, and each of its children one choice of the next decision. Every
    node on the way to an architecture gets its reward, as in figure 1 of Kocsis & Szepesvari (from memory; later
    programs make one node at a time). Where a choice was never
    tried, one of those is taken; else the one with the largest ``mean + exploration * range * sqrt(2 ln N / n)``, n
    being the visits of the child and N those of the node.

    Ours: UCB1 expects rewards in [0, 1], and accuracies fill a part of that, so ``range`` is the largest accuracy that
    was told minus the smallest. No architecture is proposed twice: a choice below which nothing is left is not taken;
    when all were proposed, architectures are random. A trial that is out counts as a visit with the smallest accuracy
    told so far until its own comes (a virtual loss), so that those that are asked for meanwhile go elsewhere; in
    constrained spaces what turns out to be no architecture counts so for ever, and another one is drawn.

    Ties: chance, among choices that were never tried as among equal bounds.

    Args:
        space: The search space.
        seed: Seed of all draws.
        exploration: Factor of the bound; 1 is UCB1, which is Cp = 1 / sqrt(2) in Kocsis & Szepesvari. Searches with
            other trees have 0.2 (LaNAS) and 4 (AlphaX), of accuracies as they are.

    Raises:
        ValueError: The exploration is negative or not finite.
    """

    def __init__(self, space: SearchSpace, *, seed: Seed, exploration: float = 1.0) -> None:
        if not 0 <= exploration < math.inf:
            raise ValueError(f"exploration must be finite and not negative, got {exploration}.")
        self.space = space
        self.seed = seed
        self.exploration = exploration
        self._rng = np.random.default_rng(seed)
        self._choices = (*space.choices, 0)
        self._root = _Node(space.size, space.choices[0])
        self._out: Counter[Architecture] = Counter()
        self._worst, self._best = math.inf, -math.inf

    def ask(self) -> Trial:
        """Return an architecture that was not proposed yet."""
        while self._root.left:
            architecture = self._descend()
            self._visit(architecture)
            if not self.space.constrained or self.space.is_valid(architecture):
                break
        else:
            architecture = self.space.sample(self._rng)
            self._visit(architecture)
        self._out[architecture] += 1
        return Trial(architecture)

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Give the accuracy to every node on the way."""
        architecture = trial.architecture
        if self._out[architecture] > 0:
            self._out[architecture] -= 1
        else:
            self._visit(architecture)
        for node in self._path(architecture):
            node.told += 1
            node.total += validation_accuracy
        self._worst, self._best = min(self._worst, validation_accuracy), max(self._best, validation_accuracy)

    def _descend(self) -> Architecture:
        """Choose one decision after the other."""
        node: _Node | None = self._root
        chosen: list[int] = []
        for choices in self.space.choices:
            if node is None:  # nobody was here: all choices are as good
                chosen.append(int(self._rng.random() * choices))
            else:
                chosen.append(self._choice(node))
                node = node.children[chosen[-1]]
        return tuple(chosen)

    def _choice(self, node: _Node) -> int:
        new = [i for i, child in enumerate(node.children) if child is None]
        if new:
            return self._any(new)
        known = self._best > -math.inf
        worst, spread = (self._worst, self._best - self._worst) if known else (0.0, 0.0)
        logarithm = 2 * math.log(node.visits)
        bounds = [
            (child.total + (child.visits - child.told) * worst) / child.visits
            + self.exploration * spread * math.sqrt(logarithm / child.visits)
            if child is not None and child.left
            else -math.inf
            for child in node.children
        ]
        largest = max(bounds)
        return self._any([i for i, bound in enumerate(bounds) if bound == largest])

    def _any(self, choices: list[int]) -> int:
        return choices[int(self._rng.random() * len(choices))] if len(choices) > 1 else choices[0]

    def _path(self, architecture: Architecture) -> list[_Node]:
        """Return the nodes on the way to an architecture, the root first; those that lack are made."""
        node, left = self._root, self.space.size
        path = [node]
        for choice, choices, following in zip(architecture, self.space.choices, self._choices[1:], strict=True):
            left //= choices
            child = node.children[choice]
            if child is None:
                child = node.children[choice] = _Node(left, following)
            node = child
            path.append(node)
        return path

    def _visit(self, architecture: Architecture) -> None:
        path = self._path(architecture)
        new = path[-1].left
        for node in path:
            node.visits += 1
            node.left -= new
