"""BOHB: densities and bandwidths against statsmodels, HpBandSter's rules written out, and what mending them changes.

HpBandSter does not install on current Pythons. Its generator of configurations (0.7.4), run by itself with the same 20,
60 and 150 results of NAS-Bench-201, proposed each choice as often as this one (chi-square, 400 against 2,000 draws).
"""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
from _toy import Toy
from scipy import stats

from baselines.bohb import BOHB, KernelDensity, propose
from baselines.hyperband import Hyperband
from nasbench.search import run
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201
from nasbench.testing import SearcherContract
from nasbench.testing.searcher import made
from nasbench.types import Budget, Fidelity, Trial

SPACE = NB201()
POWERS = [Fidelity(108, epoch) for epoch in (4, 12, 36, 108)]
TWELVE = [Fidelity(12, epoch) for epoch in range(1, 13)]


class TestContract(SearcherContract):
    @pytest.fixture(params=[name for name in BOHB.presets if name != "nats"])  # that one needs a schedule of 12 epochs
    def make_searcher(self, request):
        return lambda space, seed: made(BOHB, space, seed, **BOHB.presets[request.param])


def value(architecture, fidelity=None):
    return sum(architecture) / 24


def with_results(n, fidelity=POWERS[-1], **arguments):
    searcher = BOHB(SPACE, seed=0, fidelities=POWERS, **arguments)
    for architecture in map(tuple, SPACE.sample_many(n, np.random.default_rng(1)).tolist()):
        searcher.tell(Trial(architecture, fidelity), value(architecture))
    return searcher


def density(data, choices, bandwidth="published", min_bandwidth=1e-3):
    return KernelDensity(np.array(data), choices, bandwidth=bandwidth, min_bandwidth=min_bandwidth)


# The model.


@pytest.mark.filterwarnings("ignore:After 0.17:FutureWarning")  # of generators, which densities have no need of
@pytest.mark.parametrize("choices", [(5,) * 6, (2,) * 21 + (3,) * 5, (3, 1, 4, 2)], ids=["201", "101", "uneven"])
@pytest.mark.parametrize("more", [1, 40])
@pytest.mark.parametrize("agree", [0, 2], ids=["all differ", "all agree on two decisions"])
def test_densities_and_bandwidths_are_those_of_statsmodels(choices, more, agree):
    """Negative and infinite ones too: statsmodels counts the choices among the data."""
    kernel_density = pytest.importorskip(
        "statsmodels.nonparametric.kernel_density", reason="compares with statsmodels' KDEMultivariate"
    )
    rng = np.random.default_rng(more)
    data = rng.integers(0, choices, size=(len(choices) + more, len(choices)))
    data[:, :agree] = 0
    points = rng.integers(0, choices, size=(300, len(choices)))
    theirs = kernel_density.KDEMultivariate(data, var_type="u" * len(choices), bw="normal_reference")
    theirs.bw = np.clip(theirs.bw, 0.1, None)
    ours = density(data, choices, min_bandwidth=0.1)
    np.testing.assert_allclose(ours.bandwidths, theirs.bw)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = theirs.pdf(points)
    np.testing.assert_allclose(ours.at(points), expected, rtol=1e-9, atol=1e-12)


def test_as_published_what_differs_weighs_more_than_what_equals():
    """By hand: the numbers 0, 2, 4 have the deviation sqrt(8/3), so h = 1.06 sqrt(8/3) / 3^(1/5) = 1.389."""
    kernels = density([[0], [2], [4]], (5,))
    h = 1.06 * (8 / 3) ** 0.5 / 3**0.2
    assert kernels.bandwidths == pytest.approx([h])
    assert kernels.at(np.array([[0], [1]])) == pytest.approx([(1 - h + 2 * h / 2) / 3, h / 2])
    assert 1 - h < 0 < h / 2


def test_mended_no_choice_weighs_more_than_the_own():
    rng = np.random.default_rng(0)
    for choices in ((5,) * 6, (2, 3, 4)):
        for n in (3, 10, 50):
            kernels = density(rng.integers(0, choices, size=(n, len(choices))), choices, "capped")
            own, other = 1 - kernels.bandwidths, kernels.bandwidths / (np.array(choices) - 1)
            assert (own >= other - 1e-12).all()
            assert (other > 0).all()


@pytest.mark.parametrize("min_bandwidth", [1e-3, 0.3])
def test_mended_the_density_sums_to_one_over_the_space(min_bandwidth):
    data = SPACE.sample_many(20, np.random.default_rng(3)) % np.array([1, 2, 5, 5, 5, 5])  # some agree
    everything = SPACE.decode(np.arange(SPACE.size)).astype(int)
    assert density(data, SPACE.choices, "capped", min_bandwidth).at(everything).sum() == pytest.approx(1)


def test_where_all_of_the_best_agree_what_differs_weighs_infinitely_much():
    kernels = density([[0, 1], [0, 2], [0, 3]], (5, 5))
    assert kernels.bandwidths[0] == 1e-3
    at = kernels.at(np.array([[0, 4], [1, 1]]))
    assert np.isfinite(at[0])
    assert not np.isfinite(at[1])
    assert np.isfinite(density([[0, 1], [0, 2], [0, 3]], (5, 5), "capped").at(np.array([[1, 1]])))


def test_a_decision_is_kept_with_one_minus_its_bandwidth():
    """And else drawn from all choices, the old one too."""
    good = density([[0] * 6] * 9 + [[1] * 6], SPACE.choices, min_bandwidth=0.3)  # ten equal columns: h = 0.3
    rest = density([[i % 5] * 6 for i in range(50)], SPACE.choices)
    rng = np.random.default_rng(0)
    first = [propose(SPACE, good, rest, 1, rng)[0] for _ in range(4000)]
    h = good.bandwidths[0]
    expected = [(1 - h) * 0.9 + h / 5, (1 - h) * 0.1 + h / 5, h / 5, h / 5, h / 5]
    counts = [first.count(choice) for choice in range(5)]
    assert stats.chisquare(counts, np.array(expected) * 4000).pvalue > 1e-4


def test_of_many_draws_the_one_with_the_highest_ratio_is_proposed():
    good = density([[4, 4, 4, 4, 4, i % 5] for i in range(10)], SPACE.choices, "capped", min_bandwidth=0.3)
    rest = density([[0, 0, 0, 0, 0, i % 5] for i in range(10)], SPACE.choices, "capped", min_bandwidth=0.3)
    assert propose(SPACE, good, rest, 2000, np.random.default_rng(0))[:5] == (4,) * 5


class Fixed:
    """A density that is given."""

    def __init__(self, of):
        self.data, self.bandwidths, self.of = np.array([[0] * 6]), np.full(6, 2.0), of

    def at(self, architectures):
        return np.array([self.of(row) for row in architectures.tolist()])


@pytest.mark.parametrize(
    ("good", "rest", "first_choice"),
    [
        (lambda a: [1.0, 2.0, 1.0, 1.0, 1.0][a[0]], lambda a: 1.0, 1),  # the highest ratio
        (lambda a: [1.0, -2.0, 0.1, 0.1, 0.1][a[0]], lambda a: 1.0, 0),  # what is negative counts as nearly zero
        (lambda a: 1.0, lambda a: [1.0, 1.0, 1.0, -3.0, 1.0][a[0]], 3),  # of the rest, too, which makes it the best
        (lambda a: 1.0, lambda a: [0.1, 1.0, np.inf, 1.0, 1.0][a[0]], 2),  # infinite for the rest: taken at once
        (lambda a: [1.0, 1.0, 1.0, 1.0, np.inf][a[0]], lambda a: 1.0, 4),  # infinite for the best: ratio zero
        (lambda a: [np.nan, np.nan, np.nan, 1.0, np.nan][a[0]], lambda a: 1.0, 3),  # no number: left out
        (lambda a: np.nan, lambda a: 1.0, None),
    ],
)
def test_densities_that_are_no_numbers_are_treated_as_hpbandster_does(good, rest, first_choice):
    proposed = propose(SPACE, Fixed(good), Fixed(rest), 64, np.random.default_rng(0))
    assert (proposed and proposed[0]) == first_choice


# When there is a model, and of what.


def model_of(searcher):
    searcher._fit()
    return None if searcher._model is None else tuple(len(part.data) for part in searcher._model)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (13, None),  # six decisions: each side needs seven
        (14, (7, 7)),
        (20, (7, 13)),
        (46, (7, 39)),
        (54, (8, 45)),  # 15 % is 8.1, 85 % is 45.9: one is in neither
        (100, (15, 85)),
    ],
)
def test_how_many_results_are_good_and_bad(results, expected):
    assert model_of(with_results(results)) == expected


def test_min_points_is_at_least_one_more_than_the_decisions():
    assert model_of(with_results(40, min_points=3)) == (7, 33)
    assert model_of(with_results(40, min_points=12)) == (12, 28)
    assert model_of(with_results(23, min_points=12)) == (12, 11)  # HpBandSter asks each side for seven only


def test_the_model_is_that_of_the_highest_fidelity_that_has_one():
    searcher = with_results(40, POWERS[1])
    assert model_of(searcher) == (7, 33)
    for architecture in map(tuple, SPACE.sample_many(14, np.random.default_rng(2)).tolist()):
        assert model_of(searcher) == (7, 33)
        searcher.tell(Trial(architecture), value(architecture))  # no fidelity: the highest
    assert model_of(searcher) == (7, 7)


def test_of_equally_good_results_the_first_is_the_better():
    searcher = BOHB(SPACE, seed=0, fidelities=POWERS)
    told = list(map(tuple, SPACE.sample_many(30, np.random.default_rng(0)).tolist()))
    for architecture in told:
        searcher.tell(Trial(architecture, POWERS[-1]), 0.5)
    searcher._fit()
    assert list(map(tuple, searcher._model[0].data.tolist())) == told[:7]


def test_without_a_model_it_is_hyperband():
    ours, theirs = (
        kind(SPACE, seed=3, fidelities=POWERS, sizes="hpbandster", resume=False) for kind in (BOHB, Hyperband)
    )
    for _ in range(13):
        trial = ours.ask()
        assert trial == theirs.ask()
        for each in (ours, theirs):
            each.tell(trial, value(trial.architecture))


def test_a_third_is_random():
    searcher = with_results(60, random_fraction=1 / 3)
    proposed = Counter()

    def counted(space, *model_and_rest):
        proposed["model"] += 1
        return (0,) * 6

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baselines.bohb.propose", counted)
        for _ in range(900):
            searcher._new_candidate()
    assert stats.binomtest(proposed["model"], 900, 2 / 3).pvalue > 1e-4


def test_only_who_enters_a_bracket_comes_from_the_model():
    """The brackets are those of Hyperband, and what is promoted is the best."""
    searcher = BOHB(SPACE, seed=0, fidelities=POWERS)
    history = run(searcher, Toy(SPACE, POWERS, value), Budget(53), seed=0)
    assert history.epochs.tolist() == [4] * 27 + [12] * 9 + [36] * 3 + [108] + [12] * 9 + [36] * 3 + [108]
    for first, entered, promoted in ((0, 27, 9), (27, 9, 3), (40, 9, 3)):
        accuracies = history.validation_accuracy[first : first + entered + promoted]
        assert sorted(accuracies[entered:]) == sorted(accuracies[:entered])[-promoted:]


def test_in_a_constrained_space_it_proposes_architectures_alone():
    space = NB101()
    rng = np.random.default_rng(0)
    good, rest = (density(space.sample_many(40, rng), space.choices, "capped") for _ in range(2))
    proposed = [propose(space, good, rest, 64, rng) for _ in range(20)]
    assert all(space.is_valid(architecture) for architecture in proposed if architecture is not None)
    assert any(proposed)


def test_the_settings_of_nats_bench():
    """First epochs 1, 4 and 12 of its schedule of twelve: nine candidates, three, one."""
    searcher = BOHB(SPACE, seed=0, fidelities=[*TWELVE, Fidelity(200, 200)], **BOHB.presets["nats"])
    toy = Toy(SPACE, [*TWELVE, Fidelity(200, 200)], value)
    history = run(searcher, toy, Budget(20), seed=0)
    assert history.epochs.tolist() == [1] * 9 + [4] * 3 + [12] + [4] * 3 + [12] + [12] * 3
    assert set(history.schedules.tolist()) == {12}


@pytest.mark.parametrize("workers", [1, 10])
def test_is_pickled_while_trials_are_out(workers):
    searcher = BOHB(SPACE, seed=0, fidelities=POWERS)
    run(searcher, Toy(SPACE, POWERS, value), Budget(100), seed=0, workers=workers)
    asked = [searcher.ask() for _ in range(20)]
    copy = pickle.loads(pickle.dumps(searcher))
    for each in (searcher, copy):
        for trial in asked[::-1]:
            each.tell(trial, value(trial.architecture))
    assert [searcher.ask() for _ in range(100)] == [copy.ask() for _ in range(100)]


def test_mended_it_learns_what_is_good():
    """Its proposals are better than random ones, which have 0.5; as published they are worse."""
    means = {}
    for bandwidth in ("published", "capped"):
        searcher = with_results(100, bandwidth=bandwidth, random_fraction=0.0)
        means[bandwidth] = np.mean([value(searcher._new_candidate()[1]) for _ in range(300)])
    assert means["published"] < 0.45 < 0.65 < means["capped"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bandwidth": "wide"}, "bandwidth must be 'published' or 'capped', got 'wide'"),
        ({"good": 0}, "got 0, 64, "),
        ({"samples": 0}, "samples at least 1, .* got 15, 0, "),
        ({"random_fraction": 1.5}, r"got 15, 64, 1\.5 and "),
        ({"min_bandwidth": 0.0}, r"min_bandwidth positive; .* and 0\.0"),
        ({"schedule": 12}, "schedule must be 'whole' or one of"),
    ],
)
def test_refuses_settings_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        BOHB(SPACE, seed=0, fidelities=POWERS, **arguments)
