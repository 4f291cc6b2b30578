"""Statistics of searches: incumbents and their regret, intervals, running times, fronts, who beats whom.

Every function is about one benchmark. What is measured, and by which runs, is defined in
:mod:`nasbench.analysis.incumbents`.
"""

from nasbench.analysis.curves import RunningTime, regret_curves, running_time, unique_architectures
from nasbench.analysis.duels import Duel, duels, holm
from nasbench.analysis.fronts import (
    FrontScore,
    Scale,
    TrueFront,
    held_sets,
    hypervolume_curve,
    scale_of,
    score_front,
    true_front,
)
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
from nasbench.analysis.pareto import allowed, attainment_surfaces, hypervolume, igd_plus, non_dominated, oriented
from nasbench.analysis.random_search import Law, random_search_law
from nasbench.analysis.random_search_clock import ClockLaw, Draws, clock_law_of_draws, random_search_clock_law
from nasbench.analysis.smaller import (
    ALLOWANCES,
    Reference,
    Smallest,
    best_reference,
    rates_over_time,
    smallest,
)
from nasbench.analysis.spread import Spread, run_spread

__all__ = [
    "ALLOWANCES",
    "Accuracy",
    "ClockLaw",
    "Draws",
    "Duel",
    "Floats",
    "FrontScore",
    "Interval",
    "Law",
    "Reference",
    "RunningTime",
    "Scale",
    "Smallest",
    "Spread",
    "TrueFront",
    "allowed",
    "attainment_surfaces",
    "best_known",
    "best_reference",
    "clock_law_of_draws",
    "duels",
    "held_sets",
    "holm",
    "hypervolume",
    "hypervolume_curve",
    "igd_plus",
    "incumbents",
    "incumbents_seen_whole",
    "interquartile_mean",
    "interquartile_mean_interval",
    "judged",
    "mean_band",
    "mean_interval",
    "median_interval",
    "non_dominated",
    "oriented",
    "proportion_interval",
    "random_search_clock_law",
    "random_search_law",
    "rates_over_time",
    "regret_curves",
    "run_spread",
    "running_time",
    "scale_of",
    "score_front",
    "smallest",
    "true_front",
    "unique_architectures",
]
