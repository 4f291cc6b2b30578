"""BOHB: Hyperband whose new candidates come from kernel densities of the best and the rest.

S. Falkner, A. Klein and F. Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018; rules
and defaults of its code, HpBandSter 0.7.4 (optimizers/config_generators/bohb.py), whose densities are those of
statsmodels (KDEMultivariate, all variables unordered, bandwidths by the normal reference rule).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from baselines.hyperband import Hyperband
from baselines.parts.brackets import Anchor, Schedule, Sizes
from baselines.parts.candidates import Candidate
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Fidelity, Seed, Trial

Bandwidth = Literal["published", "capped"]
Choices = NDArray[np.intp]
Floats = NDArray[np.float64]

_TINY = 1e-32


class BOHB(Hyperband):
    """Hyperband, with a model that proposes two in three of the candidates that enter its brackets.

    The model is that of the highest fidelity with enough results. The best results there make one density, the others a
    second one. A proposal changes each decision of one of the best, drawn at random, to a random choice with a
    probability that is the decision's bandwidth; of several such draws the one with the highest ratio of the two
    densities is taken. What was proposed or evaluated before may be proposed again. Trials that were not asked for
    enter the model of their fidelity, and no bracket. In a constrained space draws that are no architectures are left
    out.

    **As published, the model misleads on decisions with several choices.** The bandwidth h of a decision is 1.06 times
    the standard deviation of the *numbers* of its choices, times n^(-1 / (4 + decisions)). The kernel weighs an equal
    choice 1 - h and a different one h / (c - 1), where c is the number of choices *among the n results*. On six
    decisions of five choices h is nearly always above (c - 1) / c until the best agree with each other: what differs
    from the best then counts as more like them than what equals them. Above 1, an equal choice weighs less than
    nothing, and a proposal keeps no decision of the one it starts from. And where all of the best agree on a decision,
    c is 1 and what differs weighs infinitely much. All that is ported as it is. ``bandwidth="capped"`` is our mended
    form: c is the number of choices that the decision has, and h at most (c - 1) / c, where all choices weigh the same.
    On NAS-Bench-201 with its schedules of 12 and 200 epochs (docs/reproduction.md measures it) BOHB as published ends
    with about as much regret as Hyperband, which draws at random, and with the mended bandwidths with less.

    Presets: ``hpbandster``, the default; ``mended``, the same with ``bandwidth="capped"``; ``nats``, the settings of
    NATS-Bench (D-X-Y/AutoDL-Projects, exps/NATS-algos/bohb.py and run-all.sh), for tables with its schedule of 12
    epochs; ``nas_benchmarks``, those of the curves in the NAS-Bench-101 paper (automl/nas_benchmarks, run_bohb.py).

    Ties: of equally good results the one told first is the better, and of equal ratios the first draw wins (HpBandSter
    leaves the first to an unstable sort); promotions as in Hyperband.

    Args:
        space: The search space.
        seed: Seed of all draws.
        fidelities: All of the benchmark's, rising.
        bandwidth: ``"published"`` or ``"capped"``, see above. ``"published"`` as in HpBandSter.
        min_points: Results that each of the two densities has at least. By default, and at least, one more than there
            are decisions, as in HpBandSter (min_points_in_model).
        good: The percentage of the best. 15 in HpBandSter (top_n_percent).
        samples: Draws for each proposal. 64 in HpBandSter (num_samples), 4 in NATS-Bench.
        random_fraction: Share of new candidates that are drawn from the whole space. 1/3 in HpBandSter, 0 in
            NATS-Bench.
        min_bandwidth: No bandwidth is lower. 0.001 in HpBandSter, 0.3 in NATS-Bench and nas_benchmarks. (The
            bandwidth_factor of these does not apply to decisions without an order.)
        eta: See :class:`baselines.hyperband.Hyperband`. 3 in HpBandSter.
        schedule: See :func:`baselines.parts.brackets.ladder`. Ours.
        first_epoch: See :func:`baselines.parts.brackets.ladder`. Ours: what the benchmark has.
        anchor: See :func:`baselines.parts.brackets.ladder`. ``"last"`` as in HpBandSter.
        sizes: See :func:`baselines.parts.brackets.bracket_sizes`. ``"hpbandster"`` as in HpBandSter.
        resume: See :class:`baselines.hyperband.Hyperband`. False as in HpBandSter, which trains anew.

    Raises:
        ValueError: ``bandwidth`` is unknown, a number makes no sense, or the rungs make none: see
            :func:`baselines.parts.brackets.ladder`.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "hpbandster": {},
        "mended": {"bandwidth": "capped"},
        "nats": {"samples": 4, "random_fraction": 0.0, "min_bandwidth": 0.3, "schedule": 12},
        "nas_benchmarks": {"random_fraction": 0.33, "min_bandwidth": 0.3},
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        fidelities: Sequence[Fidelity],
        bandwidth: Bandwidth = "published",
        min_points: int | None = None,
        good: int = 15,
        samples: int = 64,
        random_fraction: float = 1 / 3,
        min_bandwidth: float = 1e-3,
        eta: int = 3,
        schedule: Schedule = None,
        first_epoch: int | None = None,
        anchor: Anchor = "last",
        sizes: Sizes = "hpbandster",
        resume: bool = False,
    ) -> None:
        if bandwidth not in ("published", "capped"):
            raise ValueError(f"bandwidth must be 'published' or 'capped', got {bandwidth!r}.")
        if not (0 < good < 100 and samples >= 1 and 0 <= random_fraction <= 1 and min_bandwidth > 0):
            raise ValueError(
                "good must be a percentage between 0 and 100, samples at least 1, random_fraction in [0, 1] and "
                f"min_bandwidth positive; got {good}, {samples}, {random_fraction} and {min_bandwidth}."
            )
        super().__init__(
            space,
            seed=seed,
            fidelities=fidelities,
            eta=eta,
            schedule=schedule,
            first_epoch=first_epoch,
            anchor=anchor,
            sizes=sizes,
            resume=resume,
        )
        self.bandwidth = bandwidth
        self.min_points = min_points
        self.good = good
        self.samples = samples
        self.random_fraction = random_fraction
        self.min_bandwidth = min_bandwidth
        self._rng = np.random.default_rng(seed).spawn(1)[0]  # the random candidates have the seed's own stream
        self._results: dict[Fidelity, list[tuple[float, Architecture]]] = {fidelity: [] for fidelity in fidelities}
        self._model: tuple[KernelDensity, KernelDensity] | None = None
        self._of: tuple[Fidelity, int] | None = None  # the fidelity and the number of results of the model

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Enter the result into the model of its fidelity, and into the bracket that it is for."""
        results = self._results.get(trial.fidelity or self.fidelities[-1])
        if results is not None:
            results.append((validation_accuracy, trial.architecture))
        super().tell(trial, validation_accuracy)

    def _new_candidate(self) -> Candidate:
        """Return a new candidate: a proposal of the model, or one drawn from the whole space."""
        self._fit()
        if self._model is not None and self._rng.random() >= self.random_fraction:
            architecture = propose(self.space, *self._model, self.samples, self._rng)
            if architecture is not None:
                return self._candidates.adopt(architecture)
        return super()._new_candidate()

    def _fit(self) -> None:
        """Bring the model up to date: that of the highest fidelity with enough results for both densities."""
        least = max(self.min_points or 0, len(self.space.choices) + 1)
        for fidelity in reversed(self.fidelities):
            results = self._results[fidelity]
            n = len(results)
            good = max(least, self.good * n // 100)
            rest = min(max(least, (100 - self.good) * n // 100), n - good)
            if rest <= len(self.space.choices):
                continue
            if self._of != (fidelity, n):
                self._of = fidelity, n
                order = np.argsort([-accuracy for accuracy, _ in results], kind="stable")
                ranked = np.array([results[i][1] for i in order[: good + rest].tolist()], np.intp)
                self._model = self._density(ranked[:good]), self._density(ranked[good:])
            return

    def _density(self, data: Choices) -> KernelDensity:
        return KernelDensity(data, self.space.choices, bandwidth=self.bandwidth, min_bandwidth=self.min_bandwidth)


class KernelDensity:
    """A density over architectures: the mean of Aitchison and Aitken's kernels around those that are given.

    Args:
        data: Architectures, shape (n, decisions).
        choices: The numbers of choices of the decisions.
        bandwidth: See :class:`BOHB`.
        min_bandwidth: No bandwidth is lower, except where it is capped.
    """

    def __init__(self, data: Choices, choices: Sequence[int], *, bandwidth: Bandwidth, min_bandwidth: float) -> None:
        n, decisions = data.shape
        reference = 1.06 * data.std(axis=0) * n ** (-1 / (4 + decisions))
        self.data = data
        self.bandwidths = np.maximum(reference, min_bandwidth)
        levels = np.array([len(np.unique(column)) for column in data.T])
        if bandwidth == "capped":
            levels = np.array(choices)
            self.bandwidths = np.minimum(self.bandwidths, (levels - 1) / levels)
        with np.errstate(divide="ignore", invalid="ignore"):  # see BOHB: what differs may weigh infinitely much
            self._different = self.bandwidths / (levels - 1)

    def at(self, architectures: Choices) -> Floats:
        """Return the density at each architecture, shape (n,): not finite, or negative, where BOHB says so."""
        product = np.ones((len(architectures), len(self.data)))
        with np.errstate(invalid="ignore"):  # infinity times zero
            for i, (bandwidth, different) in enumerate(zip(self.bandwidths, self._different, strict=True)):
                product *= np.where(architectures[:, i, None] == self.data[:, i], 1 - bandwidth, different)
            return np.asarray(product.mean(axis=1))


def propose(
    space: SearchSpace, good: KernelDensity, rest: KernelDensity, samples: int, rng: np.random.Generator
) -> Architecture | None:
    """Return the best of several draws around the good; None if there is none.

    Args:
        space: The search space.
        good: The density of the best, which is to be high.
        rest: The density of the others, which is to be low.
        samples: How many draws.
        rng: Where they come from.
    """
    shape = samples, len(space.choices)
    start = good.data[rng.integers(len(good.data), size=samples)]
    kept = rng.random(shape) < 1 - good.bandwidths
    drawn = np.where(kept, start, rng.integers(0, space.choices, size=shape))
    if space.constrained:
        drawn = drawn[[space.is_valid(tuple(row)) for row in drawn.tolist()]]
    best = _best(good.at(drawn), rest.at(drawn))
    return None if best is None else tuple(drawn[best].tolist())


def _best(good: Floats, rest: Floats) -> int | None:
    """Return the place of the best draw, as HpBandSter chooses it among densities that may not be finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = np.where(rest > _TINY, rest, _TINY) / np.where(good < _TINY, _TINY, good)
        # Rounded, so that what differs from machine to machine, the last bits, decides nothing.
        rounded = np.log(loss).round(9)
    finite = np.isfinite(loss)
    # A choice that none of the rest has, where the rest agree: taken at once.
    unlike_the_rest = np.flatnonzero(~finite & np.isfinite(good))
    if len(unlike_the_rest):
        return int(unlike_the_rest[0])
    return int(np.argmin(np.where(finite, rounded, np.inf))) if finite.any() else None
