"""What random search must do on the clock, without simulating it: its regret by simulated seconds and workers.

Each of W workers draws an architecture and one of its recorded runs, trains it, tells the result, and draws again. A
result counts if it ends by the time T. The incumbent is the best result by then, the first to arrive of equal ones; it
is judged as in :mod:`nasbench.analysis.incumbents`. Good architectures often take longer: the number of results by T is
random, and depends on what they show, so that the law by evaluations (:mod:`nasbench.analysis.random_search`) cannot be
read off at a mean number of results.

Workers know nothing of each other. If G_v(T) is the chance that one worker has no result above v by T, the best of all
is at most v with the chance G_v(T)^W, and the regret is a sum over levels v. The chances of one worker:
:mod:`nasbench.analysis.renewal`.

What is exact: durations that are multiples of a given step, one worker, and levels of one value each. What is not:

- Times. Without a step, durations lie on a lattice of 4,096 steps up to the last position, split so that their mean
  stays.
- Levels. Neighbouring values are one level where together they have less than 1 % of the chance of all above them. In
  a level, as among equal values, the first to arrive is held, and not the best.
- Equal results of two workers. Which architecture a level was reached by is taken from the one that reached it, as if
  a second one had not. With one worker this is exact.
- Runs of the incumbent that the search has seen besides the one that made it win: their chances, which judge it, are
  those after the expected number of results, each seen independently of the others.

Measured on NAS-Bench-201, all three image datasets, 1 and 8 workers, up to 109 mean durations: with eight times as many
steps and levels of 0.2 %, the mean moves by less than 0.00001 points of accuracy from 10 mean durations on, by less
than 0.0005 from 3 on and by less than 0.02 from 1 on. Before, hardly anything has ended, and what has are the quickest
draws between two steps: up to 1 point of 28. With equal durations, where the law by evaluations is exact, all errors
together are less than 0.00001 points from 10 to 8,000 results; had no seen run been counted, 0.0004 after 875.
"""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.analysis.incumbents import Floats, Observe, every_run, judged_by, unseen_optimum
from nasbench.analysis.renewal import Lattice, Shown, shown_by
from nasbench.errors import AnalysisError
from nasbench.tables.table import Table

_STEPS = 4096
_LEVEL = 0.01
_MOST_RUNS = 4
"""As in the law by evaluations: the number of sets of seen runs grows with two to the power of the runs."""
_ROUNDING = 1e-9
_STARTED = 1e-6
"""Less likely than this nothing has a mean: chances have errors of 1e-10."""


class ClockLaw(NamedTuple):
    """Regret of random search at positions in simulated seconds, given that something has ended by then."""

    mean: Floats
    """Shape (g,), nan where nothing can have ended."""
    standard_deviation: Floats
    started: Floats
    """The chance that any result has arrived."""
    results: Floats
    """The expected number of results, of all workers together."""


class Draws(NamedTuple):
    """What one draw can be; each field has shape (m,)."""

    seconds: Floats
    probability: Floats
    shown: Floats
    """What the search is told; higher is better."""


def random_search_clock_law(
    table: Table, seconds: ArrayLike, *, workers: int = 1, observe: Observe = "run", step: float | None = None
) -> ClockLaw:
    """Return the mean and deviation of random search's validation regret after so many simulated seconds.

    Draws are with replacement, and repeats cost, as in :class:`baselines.random_search.RandomSearch` under the default
    rules. A few seconds for 200 positions.

    Args:
        table: The table.
        seconds: Positions, at least 0, shape (g,).
        workers: How many draw at the same time; one by default, as in :func:`nasbench.run`.
        observe: As in :class:`nasbench.search.Rules`.
        step: A duration of which all durations are multiples; by default, none is known.

    Raises:
        AnalysisError: A training has no recorded duration, or one that is not positive or no multiple of the step;
            positions or workers are none; or an architecture has more than four runs, and single runs are seen.
        NotRecordedError: The table has no validation accuracy, or no training time.
    """
    runs, times = _recorded(table, observe)
    recorded = np.isfinite(runs)
    counts = recorded.sum(axis=1)
    rows, places = np.nonzero(recorded)
    draws = Draws(times[rows, places], 1 / (int((counts > 0).sum()) * counts[rows]), runs[rows, places])
    optimum = float(np.nanmax(runs)) if observe == "mean" else unseen_optimum(runs)
    worth = _by_seen(runs[rows], places, optimum)
    level, shown = _shown(draws, worth[0, 0], seconds, step)
    chances, weighted = _best_of(shown, workers)
    results = workers * shown.results
    masses = np.bincount(level, draws.probability)
    # In a level, what changes with what was seen, and squares, are averaged over its draws, whenever they ended.
    averages = np.zeros((2, *chances.shape))
    at_most = np.cumsum(masses[::-1])[::-1]
    for count in np.unique(counts[rows]):
        mine = counts[rows] == count
        each = draws.probability[mine][0] / at_most[:, None]
        seen = -np.expm1(np.log1p(-np.minimum(each, 0.5)) * np.maximum(results - 1, 0.0))
        for moment, degree in np.ndindex(*worth.shape[:2]):
            if moment or degree:
                terms = draws.probability[mine] * worth[moment, degree, mine]
                averages[moment] += np.bincount(level[mine], terms, len(masses))[:, None] * seen**degree
    first, second = ((chances * average / masses[:, None]).sum(axis=0) for average in averages)
    return _law(weighted + first, second, 1 - shown.hidden[-1] ** workers, results)


def clock_law_of_draws(
    draws: Draws, regret: ArrayLike, seconds: ArrayLike, *, workers: int = 1, step: float | None = None
) -> ClockLaw:
    """Return the law for any distribution of draws, whose regret does not depend on what else was seen.

    Args:
        draws: Durations, probabilities and what is told.
        regret: Of an incumbent that is held for this draw, shape (m,).
        seconds: As for :func:`random_search_clock_law`.
        workers: As there.
        step: As there.

    Raises:
        AnalysisError: As there.
    """
    regrets = np.asarray(regret, np.float64)
    level, shown = _shown(draws, regrets, seconds, step)
    chances, mean = _best_of(shown, workers)
    squares = np.bincount(level, draws.probability * regrets**2) / np.bincount(level, draws.probability)
    second = (chances * squares[:, None]).sum(axis=0)
    return _law(mean, second, 1 - shown.hidden[-1] ** workers, workers * shown.results)


def _recorded(table: Table, observe: Observe) -> tuple[Floats, Floats]:
    """Return what can be told and how long it takes, both of shape (architectures, runs), nan where missing."""
    if observe == "mean":
        runs = np.asarray(table.column("validation_accuracy"), np.float64)[:, None]
        return runs, np.asarray(table.column("training_time"), np.float64)[:, None]
    runs = every_run(table)
    most = int(np.isfinite(runs).sum(axis=1).max())
    if most > _MOST_RUNS:
        raise AnalysisError(
            f"{table.name} has up to {most} runs of an architecture: the law is computed for {_MOST_RUNS} at most."
        )
    times = [np.asarray(table.column("training_time", run=run), np.float64) for run in range(runs.shape[1])]
    return runs, np.stack(times, axis=1)


def _shown(draws: Draws, weight: Floats, seconds: ArrayLike, step: float | None) -> tuple[NDArray[np.int64], Shown]:
    """Return the level of each draw, and what one worker has shown of the levels at each position."""
    at = np.asarray(seconds, np.float64)
    if at.ndim != 1 or not at.size or not np.isfinite(at).all() or (at < 0).any() or not at.any():
        raise AnalysisError(
            f"positions must be finite seconds from 0, one of them above 0, not {np.array2string(at, threshold=6)}."
        )
    times = draws.seconds
    wrong = ~(np.isfinite(times) & (times > 0))
    if wrong.any():
        raise AnalysisError(f"a draw takes {times[wrong][0]} s: on the clock each must take a positive, recorded time.")
    if step is not None:
        off = np.abs(times / step - np.round(times / step)) > _ROUNDING * np.maximum(1.0, times / step)
        if off.any():
            raise AnalysisError(f"a draw takes {times[off][0]} s, which is no multiple of the step of {step} s.")
    lattice = Lattice(float(at.max()) / _STEPS if step is None else step, at, exact=step is not None)
    level = _levels(draws)
    return level, shown_by(lattice, times, draws.probability, level, weight)


def _levels(draws: Draws) -> NDArray[np.int64]:
    """Return the level of each draw, 0 the best."""
    values, which = np.unique(-draws.shown, return_inverse=True)
    level = np.zeros(len(values), np.int64)
    above = mine = 0.0
    current = 0
    for i, mass in enumerate(np.bincount(which, draws.probability).tolist()):
        if mine and mine + mass > _LEVEL * above:
            above, mine, current = above + mine, 0.0, current + 1
        level[i] = current
        mine += mass
    return np.asarray(level[which])


def _best_of(shown: Shown, workers: int) -> tuple[Floats, Floats]:
    """Return the chance that the best level of all workers is each, (levels, g), and the sum of weights, (g,).

    With h the chance that a worker shows none of the levels above, and l none of these and this one, the chance of all
    is h^W - l^W: that of one, h - l, times the sum over j < W of h^j l^(W-1-j).
    """
    if isinstance(workers, bool) or not isinstance(workers, (int, np.integer)) or workers < 1:
        raise AnalysisError(f"workers must be a whole number from 1, not {workers!r}.")
    high, low = shown.hidden[:-1], shown.hidden[1:]
    factor, power = np.ones_like(high), np.ones_like(low)
    for _ in range(workers - 1):
        power = power * low
        factor = factor * high + power
    return (high - low) * factor, (shown.weighted * factor).sum(axis=0)


def _by_seen(runs: Floats, places: NDArray[np.int64], optimum: float) -> Floats:
    """Return what each draw's regret is expected to be if it is held, as a polynomial in the chance of one run.

    Runs of its architecture that show more than it does were not seen for certain; each other one was with this chance.

    Args:
        runs: Every run of the architecture of each draw, shape (m, runs), nan where missing.
        places: Which of them the draw shows, shape (m,).
        optimum: What regret is the distance to.

    Returns:
        Shape (2, runs, m): coefficients of the powers of the chance, for the regret and for its square.
    """
    m, width = runs.shape
    by_chance = np.isfinite(runs) & (runs <= runs[np.arange(m), places][:, None])
    by_chance[np.arange(m), places] = False
    number = by_chance.sum(axis=1)
    choose = np.array([[comb(n, j) for j in range(width)] for n in range(width)], np.float64)
    found = np.zeros((2, width, m))
    for bits in range(2**width):
        seen = (bits >> np.arange(width) & 1).astype(np.bool_)
        size = int(seen.sum())
        there = np.flatnonzero((by_chance | ~seen).all(axis=1))
        if not len(there):
            continue
        regret = optimum - judged_by(runs[there], places[there], np.isfinite(runs[there]) & ~seen)
        for j in range(width - size):  # chance^size (1 - chance)^(number - size)
            factor = (-1.0) ** j * choose[number[there] - size, j]
            found[0, size + j, there] += factor * regret
            found[1, size + j, there] += factor * regret**2
    return found


def _law(total: Floats, squares: Floats, started: Floats, results: Floats) -> ClockLaw:
    """Return the moments of what has started."""
    there = started > _STARTED
    mean, square = (np.where(there, each, np.nan) / np.where(there, started, 1.0) for each in (total, squares))
    return ClockLaw(mean, np.sqrt(np.maximum(square - mean**2, 0.0)), np.clip(started, 0.0, 1.0), results)
