"""What is drawn around a prediction: how far labels lay from theirs, and runs from their means, at each level.

Both change with the level by a factor of ten and more, so that neither one number nor a few neighbours will do: a
:class:`Spread` says how far, smoothly, and :class:`Draws` have the shape, tails included, from the rows next to it.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from surrogates.models.ranked import Floats, State, numbers, one_thread

Words = NDArray[np.uint64]

WINDOW = 100
"""A draw is one of so many rows, those whose levels are next to it."""
_ROUNDS = 50
_STIFF = 20
"""Weight of a squared kink: of the change of the slope of log variance in log error."""
_MOST = 6
"""One architecture counts as so many variances at most: a single failed training would lift the whole end."""
_FARTHEST = 5
"""Standard deviations that a row may be off, or it is made smaller: one of a hundred, it is drawn again and again."""
_LUCK = 4
"""Standard deviations that a draw may lie above its level, or above the median of levels where that is higher."""
_TERMS, _LOOKED_AT = 64, 0.6
"""How many terms a field has, and which share of the decisions each looks at."""


class Spread:
    """A standard deviation as a function of a level: a broken line, both in logarithms, that of the level's error.

    Deviations roughly follow a power of the error, 1 - level: where there are few levels the line goes straight on.
    Knots lie at quantiles of the levels, dense at both ends. Their values maximise the likelihood of gamma distributed
    variances (McCullagh & Nelder, "Generalized Linear Models", 1989, chapter 8) times a normal prior of the kinks.

    Attributes:
        knots_: Logarithms of errors, shape (k,), rising.
        logarithms_: Of the variances there, shape (k,).
    """

    def fit(self, levels: Floats, squares: Floats, freedom: Floats) -> Self:
        """Learn from sums of squares, some of them positive, and their degrees of freedom, all of shape (n,)."""
        errors = _log_errors(levels)
        many = int(np.clip(np.round(np.log2(len(levels))) - 3, 2, 8))
        self.knots_: Floats = np.unique(np.quantile(errors, (1 - np.cos(np.linspace(0, np.pi, many))) / 2))
        pooled = float(np.log(squares.sum() / freedom.sum()))
        identity = np.eye(len(self.knots_))
        basis = np.stack([np.interp(errors, self.knots_, row) for row in identity], axis=1)
        kinks = np.diff(np.diff(identity, axis=0) / np.diff(self.knots_)[:, None], axis=0)
        found = np.full(len(identity), pooled)
        with one_thread():
            prior = _STIFF * kinks.T @ kinks + 1e-3 * identity
            for _ in range(_ROUNDS):  # Newton's method
                ratio = np.minimum(squares / np.exp(basis @ found), _MOST * freedom)
                slope = basis.T @ (ratio - freedom) - prior @ (found - pooled)
                found += np.clip(np.linalg.solve((basis.T * ratio) @ basis + prior, slope), -1, 1)
        self.logarithms_: Floats = found
        return self

    def at(self, levels: Floats) -> Floats:
        """Return the standard deviation at each level, of the same shape; beyond the knots that of the last one."""
        return np.asarray(np.exp(np.interp(_log_errors(levels), self.knots_, self.logarithms_) / 2))


class Draws:
    """Rows of differences, one of which is drawn at a level, and made as wide as differences are at that level.

    Attributes:
        levels_: Shape (m,), rising.
        rows_: Shape (m, columns), each divided by the standard deviation of the first column at its level.
        spread_: That standard deviation.
    """

    def fit(self, levels: Floats, rows: Floats, spread: Spread) -> Self:
        """Take rows of shape (m, columns), m at least 1, beside their levels, in any order."""
        order = np.argsort(levels, kind="stable")
        self.levels_: Floats = levels[order]
        scaled = (rows / spread.at(levels)[:, None])[order]
        self.rows_: Floats = scaled * np.minimum(1, _FARTHEST / np.maximum(np.abs(scaled[:, :1]), 1e-12))
        self.spread_ = spread
        return self

    def window(self, levels: Floats) -> tuple[NDArray[np.intp], int]:
        """Return where the rows next to each level start, and how many they are."""
        width = min(WINDOW, len(self.levels_))
        starts = self.levels_.searchsorted(levels) - width // 2
        return np.clip(starts, 0, len(self.levels_) - width), width

    def limit(self, levels: Floats) -> Floats:
        """Return how far above its level a draw may lie: no poor network is drawn as one of the best.

        Where one training in a hundred fails, networks that fail have draws of thirty points; a search for the best of
        hundreds would find these, though nothing of the kind was recorded.
        """
        higher = np.maximum(levels, np.median(self.levels_))
        return np.asarray(higher + _LUCK * self.spread_.at(higher) - levels)

    def ranked(self, levels: Floats, ranks: Floats) -> Floats:
        """Return for each level the row whose first column has this rank, in [0, 1), among those next to it.

        Returns:
            Shape (len(levels), columns).
        """
        starts, width = self.window(levels)
        near = np.lib.stride_tricks.sliding_window_view(self.rows_[:, 0], width)
        every = np.argsort(near, axis=1, kind="stable")
        chosen = starts + every[starts, (ranks * width).astype(np.intp)]
        drawn = self.rows_[chosen] * self.spread_.at(levels)[:, None]
        first = np.maximum(drawn[:, 0], 1e-12)
        return np.asarray(drawn * np.minimum(1, self.limit(levels) / first)[:, None])

    def state(self) -> State:
        """Return all that it is, to be written to files."""
        return {
            "levels": self.levels_,
            "residuals": self.rows_,
            "knots": self.spread_.knots_,
            "logarithms": self.spread_.logarithms_,
        }

    def restore(self, state: State) -> Self:
        """Become what was fitted, from :meth:`state`.

        Raises:
            ValueError, KeyError: It is no such state.
        """
        self.levels_, self.rows_ = numbers(state["levels"], 1), numbers(state["residuals"], 2)
        self.spread_ = Spread()
        self.spread_.knots_, self.spread_.logarithms_ = numbers(state["knots"], 1), numbers(state["logarithms"], 1)
        shapes = (len(self.levels_), len(self.spread_.knots_))
        if shapes != (len(self.rows_), len(self.spread_.logarithms_)) or 0 in shapes:
            raise ValueError(f"levels and rows, or knots and their values, do not belong together: {shapes}.")
        if (np.diff(self.levels_) < 0).any() or (np.diff(self.spread_.knots_) <= 0).any():
            raise ValueError("levels or knots do not rise.")
        return self


def mixed(words: Words) -> Words:
    """Return words of 64 bits, all of whose bits depend on all bits of the others.

    The finaliser of SplitMix64: Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ words >> np.uint64(31))


def uniform(salt: int, identities: NDArray[np.int64]) -> Floats:
    """Return a number in [0, 1) for each identity, the same in any process, without any relation between them."""
    words = mixed(np.uint64(salt) ^ identities.astype(np.uint64))
    return np.asarray((words >> np.uint64(11)) / 2.0**53)


def field(salt: int, choices: NDArray[np.uint8]) -> Floats:
    """Return a number in [0, 1) for each architecture, the same in any process, alike for alike architectures.

    The sum of terms, each of which looks at some of the decisions and is a random number for each way to take those:
    architectures that differ in d decisions share 0.4**d of the terms, and that is their correlation. It is that of
    what predictions of NAS-Bench-201 are off by (0.4 for one decision, 0.1 for two, nothing for more).
    """
    decisions = choices.shape[1]
    places = np.arange(_TERMS * decisions, dtype=np.uint64)
    looks = (mixed(mixed(places) ^ np.uint64(salt)) >> np.uint64(11)) / 2.0**53 < _LOOKED_AT
    # A term's word is the sum, modulo 2**64, of the words of what it looks at: integers, in any order the same.
    each = mixed(np.arange(decisions, dtype=np.uint64) * np.uint64(256) + choices.astype(np.uint64))
    words = each @ looks.reshape(decisions, _TERMS).astype(np.uint64)
    words = mixed(words ^ mixed(np.uint64(salt) ^ np.arange(_TERMS, dtype=np.uint64)))
    total = (words >> np.uint64(16)).sum(axis=1) / 2.0**48
    return np.asarray(np.minimum(ndtr((total - _TERMS / 2) / np.sqrt(_TERMS / 12)), 1 - 1e-12))


def _log_errors(levels: Floats) -> Floats:
    return np.log(np.maximum(1 - levels, 1e-4))
