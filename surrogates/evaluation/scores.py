"""How good predictions are: of the values, of their order, of the best, and of the uncertainty that comes with them.

All functions take one-dimensional arrays of the same length: recorded values, predicted means, predicted standard
deviations. Accuracies are fractions. Nothing may be missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]

INTERVALS = (0.5, 0.68, 0.9)
"""Nominal coverage of the reported central intervals."""
_BEST = 10
"""How many architectures are looked at for precision at k."""


def of_order(recorded: Values, predicted: Values) -> dict[str, float]:
    """Score the order of the predictions, which is what a search needs.

    Returns:
        ``kendall``, tau-b of all; ``kendall_top_half`` and ``kendall_top_1_percent``, of those whose recorded values
        are in the upper half, or the best hundredth (at least ten); ``spearman``; ``precision_at_10``, the share of the
        ten best predicted that are among the ten best recorded. nan where a part has one value only.
    """
    best = {name: _best(recorded, part) for name, part in (("top_half", 0.5), ("top_1_percent", 0.01))}
    k = min(_BEST, len(recorded))
    return {
        "kendall": _kendall(recorded, predicted),
        **{f"kendall_{name}": _kendall(recorded[rows], predicted[rows]) for name, rows in best.items()},
        "spearman": _spearman(recorded, predicted),
        f"precision_at_{_BEST}": len({*_largest(recorded, k)} & {*_largest(predicted, k)}) / k,
    }


def of_values(recorded: Values, predicted: Values) -> dict[str, float]:
    """Score the predicted values.

    Returns:
        ``r2``, one minus the sum of squared errors over that of deviations from the mean (nan if all are the same);
        ``mae``, the mean absolute error; ``regret``, the best recorded value minus that of the architecture that is
        predicted to be best (the mean over those that share the prediction).
    """
    error = predicted - recorded
    spread = float(((recorded - recorded.mean()) ** 2).sum())
    chosen = recorded[predicted == predicted.max()]
    return {
        "r2": 1 - float((error**2).sum()) / spread if spread > 0 else math.nan,
        "mae": float(np.abs(error).mean()),
        "regret": float(recorded.max() - chosen.mean()),
    }


def of_uncertainty(recorded: Values, predicted: Values, deviation: Values) -> dict[str, float]:
    """Score the predicted standard deviations, as those of normal distributions.

    Returns:
        ``coverage_50``, ``coverage_68`` and ``coverage_90``, the share of recorded values inside the central interval
        of this nominal probability; ``nll``, the mean negative log likelihood in nats; ``crps``, the mean continuous
        ranked probability score, in the unit of the values (closed form: Gneiting & Raftery, "Strictly Proper Scoring
        Rules, Prediction, and Estimation", JASA 2007, equation 21); ``sharpness``, the mean predicted deviation.

    Raises:
        ValueError: A standard deviation is not positive.
    """
    if not (deviation > 0).all():
        raise ValueError(f"standard deviations must be positive; the smallest is {deviation.min()}.")
    z = (recorded - predicted) / deviation
    inside = {
        f"coverage_{round(100 * nominal)}": float((np.abs(z) <= stats.norm.ppf((1 + nominal) / 2)).mean())
        for nominal in INTERVALS
    }
    crps = deviation * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi))
    return {
        **inside,
        "nll": float((z**2 / 2 + np.log(deviation)).mean() + math.log(2 * math.pi) / 2),
        "crps": float(crps.mean()),
        "sharpness": float(deviation.mean()),
    }


def mean_and_error(scores: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Return, of each score, its mean over splits and the standard error of that mean, nan for a single split."""
    found = {}
    for name in scores[0]:
        values = np.array([score[name] for score in scores])
        error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        found[name] = (float(values.mean()), float(error))
    return found


def _best(recorded: Values, part: float) -> NDArray[np.intp]:
    """Return the rows of the best part, with all that share the last value."""
    k = max(min(_BEST, len(recorded)), math.ceil(part * len(recorded)))
    return np.flatnonzero(recorded >= np.partition(recorded, -k)[-k])


def _largest(values: Values, k: int) -> list[int]:
    largest: list[int] = np.argsort(-values, kind="stable")[:k].tolist()
    return largest


def _kendall(first: Values, second: Values) -> float:
    return float(stats.kendalltau(first, second).statistic) if _varies(first, second) else math.nan


def _spearman(first: Values, second: Values) -> float:
    return float(stats.spearmanr(first, second).statistic) if _varies(first, second) else math.nan


def _varies(*arrays: Values) -> bool:
    return all(len(values) > 1 and bool((values != values[0]).any()) for values in arrays)
