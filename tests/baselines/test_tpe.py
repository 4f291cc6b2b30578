"""TPE against Optuna's sampler: the same densities, the same proposals, the same regrets; and what is ours."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy import stats

from baselines.tpe import TPE
from nasbench import Budget, SearchSpace, Trial, load, run
from nasbench.analysis import regret_curves
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201
from nasbench.testing import SearcherContract

SPACE = NB201()


class Uneven(SearchSpace):
    """Decisions with different numbers of choices, one of them with a single one; 24 architectures."""

    name = "uneven"
    choices = (3, 1, 4, 2)


class TestContract(SearcherContract):
    @pytest.fixture(params=[True, False], ids=["distinct", "repeats"])
    def make_searcher(self, request):
        return lambda space, seed: TPE(space, seed=seed, distinct=request.param)


def value(architecture):
    """A landscape with ties and an interaction."""
    return (sum(architecture) + 3 * (architecture[0] == architecture[-1])) / 40


def history(space, n, seed=0):
    rng = np.random.default_rng(seed)
    return [(a, value(a)) for a in map(tuple, space.sample_many(n, rng).tolist())]


def told(space, n, **arguments):
    searcher = TPE(space, seed=1, **arguments)
    for architecture, accuracy in history(space, n):
        searcher.tell(Trial(architecture), accuracy)
    return searcher


# Optuna, which everything but `distinct` comes from. Recorded with 5.0.0.


@pytest.fixture
def optuna():
    module = pytest.importorskip("optuna", minversion="5", reason="compares with Optuna's TPESampler")
    before = module.logging.get_verbosity()
    module.logging.set_verbosity(module.logging.ERROR)
    yield module
    module.logging.set_verbosity(before)


class Peer:
    """Optuna's sampler with its defaults, as a searcher; the first trials are those of a history."""

    def __init__(self, optuna: Any, space: SearchSpace, *, seed: int, sampler: Any = None, known: Any = ()) -> None:
        self.choices = {
            f"decision{i:02}": optuna.distributions.CategoricalDistribution(range(k))
            for i, k in enumerate(space.choices)
        }
        sampler = sampler or optuna.samplers.TPESampler(seed=seed)
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self.out: list[Any] = []
        for architecture, accuracy in known:
            params = dict(zip(self.choices, architecture, strict=True))
            self.study.add_trial(optuna.trial.create_trial(params=params, distributions=self.choices, value=accuracy))

    def ask(self) -> Trial:
        self.out.append(self.study.ask(self.choices))
        return Trial(tuple(self.out[-1].params.values()))

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        self.study.tell(self.out.pop(0), validation_accuracy)


@pytest.mark.parametrize("space", [SPACE, Uneven()], ids=lambda space: space.name)
@pytest.mark.parametrize(("n", "out"), [(10, 0), (31, 3), (300, 0), (400, 2)])
def test_the_ratios_are_those_of_optuna(optuna, space, n, out):
    """With weights that fall with age, and with trials that are out."""
    seen = []

    class Spy(optuna.samplers.TPESampler):
        def _compute_acquisition_func(self, samples, *densities):
            seen.append((samples, super()._compute_acquisition_func(samples, *densities)))
            return seen[-1][1]

    ours = told(space, n)
    peer = Peer(optuna, space, seed=0, sampler=Spy(seed=0, n_ei_candidates=200), known=history(space, n))
    for _ in range(out):
        architecture = ours.ask().architecture
        peer.study.enqueue_trial(dict(zip(peer.choices, architecture, strict=True)))
        assert peer.ask().architecture == architecture
    peer.ask()
    if not seen:
        pytest.skip("this Optuna has no _compute_acquisition_func to look at")
    samples, expected = seen[-1]
    drawn = np.zeros((200, len(space.choices)), int)  # Optuna leaves out what has one choice
    for i, name in enumerate(peer.choices):
        drawn[:, i] = samples.get(name, 0)
    np.testing.assert_allclose(ours._log_ratios(drawn, *ours._split()), expected, rtol=1e-9, atol=1e-9)


def test_the_proposals_are_those_of_optuna(optuna):
    """After the same 40 trials: how often each choice is proposed, and how often the most frequent proposal."""
    searcher = told(SPACE, 40, distinct=False)
    peer = Peer(optuna, SPACE, seed=0, known=history(SPACE, 40))
    ours, theirs = [], []
    for _ in range(400):
        ours.append(searcher._propose())
        theirs.append(peer.ask().architecture)
        peer.study.tell(peer.out.pop(), state=optuna.trial.TrialState.FAIL)  # no sampler looks at it again
    for decision in range(6):
        counts = np.array([np.bincount([a[decision] for a in of], minlength=5) for of in (ours, theirs)])
        assert stats.chi2_contingency(counts[:, counts.sum(axis=0) > 0]).pvalue > 1e-4
    most = max(set(theirs), key=theirs.count)
    assert stats.fisher_exact([[of.count(most), 400 - of.count(most)] for of in (ours, theirs)]).pvalue > 1e-4


def test_the_regrets_are_those_of_optuna(optuna):
    table = load("nasbench201")
    budgets = [20, 35, 50]
    searches = [
        [run(make(r), table, Budget(budgets[-1]), seed=[r, 1]) for r in range(24)]
        for make in (
            lambda r: TPE(table.space, seed=r, distinct=False),
            lambda r: Peer(optuna, table.space, seed=r),
        )
    ]
    ours, theirs = (regret_curves(histories, table, budgets) for histories in searches)
    for i in range(len(budgets)):
        assert stats.mannwhitneyu(ours[:, i], theirs[:, i]).pvalue > 1e-3


# Laws, and what is ours.


@pytest.mark.parametrize(("space", "n"), [(SPACE, 10), (SPACE, 90), (Uneven(), 300)], ids=["few", "many", "uneven"])
def test_each_density_sums_to_one_over_the_space(space, n):
    searcher = told(space, n)
    everything = np.zeros((space.size, sum(space.choices)))
    architectures = space.decode(np.arange(space.size))
    for i in range(len(space.choices)):
        everything[np.arange(space.size), sum(space.choices[:i]) + architectures[:, i]] = 1
    matches = (everything @ searcher._one_hot[:n].T).astype(int)
    for ages in searcher._split():
        assert searcher._density(matches[:, ages]).sum() == pytest.approx(1)


def test_candidates_come_from_the_density_of_the_good():
    space = Uneven()
    searcher = told(space, 60, candidates=200_000)
    good, _ = searcher._split()
    drawn = searcher._draw(good)
    everything = space.decode(np.arange(space.size))
    matches = (everything[:, None] == searcher._architectures[good][None]).sum(axis=2)
    expected = searcher._density(matches) * len(drawn)
    counts = np.bincount(space.codes(drawn.astype(np.uint8)), minlength=space.size)
    assert stats.chisquare(counts, expected).pvalue > 1e-4


@pytest.mark.parametrize(
    ("n", "good", "most_good", "expected"),
    [(10, 0.1, 25, 1), (11, 0.1, 25, 2), (200, 0.1, 25, 20), (400, 0.1, 25, 25), (20, 0.5, 7, 7)],
)
def test_how_many_are_good(n, good, most_good, expected):
    best, rest = told(SPACE, n, good=good, most_good=most_good)._split()
    assert (len(best), len(rest)) == (expected, n - expected)


def test_of_equally_good_architectures_the_first_is_the_better():
    searcher = TPE(SPACE, seed=0)
    asked = [searcher.ask() for _ in range(30)]
    for i in np.random.default_rng(0).permutation(30).tolist():  # told in any order
        searcher.tell(asked[i], 0.9 if i in (4, 9, 17, 23) else 0.5)
    assert searcher._split()[0].tolist() == [4, 9, 17]


def test_what_is_out_counts_among_the_rest():
    searcher = told(SPACE, 20, distinct=False)
    asked = [searcher.ask() for _ in range(3)]
    assert searcher._split()[1].tolist()[-3:] == [20, 21, 22]
    for trial in asked:
        searcher.tell(trial, 1.0)
    assert searcher._split()[0].tolist() == [20, 21, 22]  # of 23 trials three are good


def test_a_result_belongs_to_the_oldest_trial_that_is_out():
    searcher = TPE(SPACE, seed=0)
    trial = searcher.ask()
    for accuracy in (0.3, 0.4):  # the second one was not asked for
        searcher.tell(trial, accuracy)
    assert searcher._values == [0.3, 0.4]


@pytest.mark.parametrize("space", [SPACE, NB101()], ids=lambda space: space.name)
def test_distinct_proposes_nothing_twice(space):
    """Whoever evaluated it, whatever its form, and told or not."""
    searcher, rng = TPE(space, seed=0), np.random.default_rng(0)
    known, out = set(), []
    for step in range(150):
        out.append(searcher.ask())
        assert space.identity(out[-1].architecture) not in known
        known.add(space.identity(out[-1].architecture))
        if step % 3 == 0:
            other = space.mutate(out[-1].architecture, rng)
            known.add(space.identity(other))
            searcher.tell(Trial(other), 0.5)
        if step > 5:
            trial = out.pop(int(rng.random() * 5))
            searcher.tell(trial, sum(trial.architecture) / 100)


def test_without_distinct_it_repeats_itself():
    searcher = TPE(SPACE, seed=0, distinct=False)
    asked = []
    for _ in range(300):
        asked.append(searcher.ask())
        searcher.tell(asked[-1], sum(asked[-1].architecture) / 24)
    assert len(set(asked)) < 270


def test_distinct_asks_for_the_whole_space_and_goes_on():
    searcher, space = TPE(Uneven(), seed=0), Uneven()
    asked = []
    for _ in range(40):
        asked.append(searcher.ask().architecture)
        searcher.tell(Trial(asked[-1]), value(asked[-1]))
    assert len(set(asked[:24])) == 24
    assert all(space.is_valid(architecture) for architecture in asked)


@pytest.mark.parametrize("distinct", [True, False])
def test_goes_on_from_a_pickle_with_trials_out(distinct):
    searcher = TPE(SPACE, seed=0, distinct=distinct)
    rng = np.random.default_rng(0)
    for _ in range(60):
        out = [searcher.ask() for _ in range(3)]
        copy = pickle.loads(pickle.dumps(searcher))
        for i in rng.permutation(3).tolist():
            searcher.tell(out[i], value(out[i].architecture))
            copy.tell(out[i], value(out[i].architecture))
        assert copy.ask() == searcher.ask()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": 0}, "initial, candidates and most_good must be at least 1, got 0, 24 and 25"),
        ({"candidates": 0}, "at least 1, got 10, 0 and 25"),
        ({"most_good": 0}, "at least 1, got 10, 24 and 0"),
        ({"good": 0.0}, r"good must be a share between 0 and 1, got 0\.0"),
        ({"good": 1.0}, r"got 1\.0"),
    ],
)
def test_refuses_settings_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        TPE(SPACE, seed=0, **arguments)
