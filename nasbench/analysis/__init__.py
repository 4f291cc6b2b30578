"""Statistics of searches: incumbents and their regret, intervals, running times, who beats whom.

Every function is about one benchmark. What is measured, and by which runs, is defined in
:mod:`nasbench.analysis.incumbents`.
"""

from nasbench.analysis.curves import RunningTime, regret_curves, running_time, unique_architectures
from nasbench.analysis.duels import Duel, duels, holm
from nasbench.analysis.incumbents import Accuracy, Floats, best_known, incumbents, incumbents_seen_whole, judged
from nasbench.analysis.intervals import (
    Interval,
    interquartile_mean,
    interquartile_mean_interval,
    mean_band,
    mean_interval,
    median_interval,
    proportion_interval,
)
from nasbench.analysis.random_search import Law, random_search_law
from nasbench.analysis.spread import Spread, run_spread

__all__ = [
    "Accuracy",
    "Duel",
    "Floats",
    "Interval",
    "Law",
    "RunningTime",
    "Spread",
    "best_known",
    "duels",
    "holm",
    "incumbents",
    "incumbents_seen_whole",
    "interquartile_mean",
    "interquartile_mean_interval",
    "judged",
    "mean_band",
    "mean_interval",
    "median_interval",
    "proportion_interval",
    "random_search_law",
    "regret_curves",
    "run_spread",
    "running_time",
    "unique_architectures",
]
