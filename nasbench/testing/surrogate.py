"""SurrogateContract: what every predictor promises, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces import SearchSpace
from nasbench.spaces.nb201 import NB201
from nasbench.testing.checks import global_randomness_untouched, pickled

_LABELS, _OTHERS = 40, 60

MakeModel = Callable[[SearchSpace, int], Any]
"""What the fixture ``make_model`` is: from a search space and a seed to an unfitted predictor.

A predictor has ``fit(choices, labels)`` and ``predict(choices, return_std=False)``, which returns values and, if asked
for, their standard deviations; ``state()`` and, of an unfitted one, ``restore(state)``. Choices are uint8 arrays of
shape (n, decisions), the rest has the shape (n,)."""


class _Problem(NamedTuple):
    choices: NDArray[np.uint8]
    labels: NDArray[np.float64]
    others: NDArray[np.uint8]
    truth: NDArray[np.float64]


class SurrogateContract:
    """What every predictor promises.

    Give the fixture ``make_model``: a callable ``(space, seed) -> predictor``. Override the fixture ``space`` where
    yours is made for another search space; what is learnt is what its networks cost.
    """

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The search space: NAS-Bench-201's."""
        return NB201()

    @pytest.fixture
    def problem(self, space: SearchSpace) -> _Problem:
        """Some architectures and, as their accuracy, the logarithm of their cost, brought between 0 and 1."""
        drawn = space.sample_many(4 * (_LABELS + _OTHERS), np.random.default_rng(0))
        distinct = np.sort(np.unique(space.key_many(drawn), return_index=True)[1])
        choices = drawn[distinct][: _LABELS + _OTHERS]
        cost = np.log(space.flops_many(choices) + 1.0)
        values = 0.9 * (cost - cost.min()) / np.ptp(cost)
        # A little more of each, so that no two labels are the same.
        values += 0.01 * np.random.default_rng(1).permutation(len(values)) / len(values)
        return _Problem(choices[:_LABELS], values[:_LABELS], choices[_LABELS:], values[_LABELS:])

    def test_learns(self, space: SearchSpace, problem: _Problem, make_model: MakeModel) -> None:
        """From 40 labels it knows something of the order of others; ``fit`` returns the predictor."""
        model = make_model(space, 0)
        assert model.fit(problem.choices, problem.labels) is model, "fit() does not return the predictor"
        predicted = model.predict(problem.others)
        first, second = (values.argsort().argsort() for values in (np.asarray(predicted), problem.truth))
        assert np.corrcoef(first, second)[0, 1] > 0.5, "Spearman's rank correlation with the truth is below 0.5"

    def test_says_how_sure_it_is(self, space: SearchSpace, problem: _Problem, make_model: MakeModel) -> None:
        """Deviations are positive; asking for them does not change the values."""
        model = make_model(space, 0).fit(problem.choices, problem.labels)
        mean, deviation = model.predict(problem.others, return_std=True)
        for values in (mean, deviation):
            assert values.dtype == np.float64
            assert values.shape == (len(problem.others),)
            assert np.isfinite(values).all()
        assert (deviation > 0).all()
        assert mean.tobytes() == model.predict(problem.others).tobytes()

    def test_same_seed_same_bytes(self, space: SearchSpace, problem: _Problem, make_model: MakeModel) -> None:
        """The seed decides, whatever else is fitted between; global generators and the labels stay as they are."""
        choices, labels = problem.choices.copy(), problem.labels.copy()
        with global_randomness_untouched():
            alone = _answer(make_model(space, 3).fit(choices, labels), problem)
        one, other = make_model(space, 3), make_model(space, 4)
        other.fit(problem.others, problem.truth)
        one.fit(choices, labels)
        other.predict(problem.choices)
        assert _answer(one, problem) == alone
        assert np.array_equal(choices, problem.choices)
        assert np.array_equal(labels, problem.labels)

    def test_fitting_again_forgets(self, space: SearchSpace, problem: _Problem, make_model: MakeModel) -> None:
        """What it learnt before makes no difference."""
        model = make_model(space, 0).fit(problem.others, problem.truth)
        again = _answer(model.fit(problem.choices, problem.labels), problem)
        assert again == _answer(make_model(space, 0).fit(problem.choices, problem.labels), problem)

    def test_answers_alone_as_among_others(self, space: SearchSpace, problem: _Problem, make_model: MakeModel) -> None:
        """A prediction does not depend on what is asked with it, but for the order of sums: to nine digits."""
        model = make_model(space, 0).fit(problem.choices, problem.labels)
        together = np.stack(model.predict(problem.others, return_std=True))
        for row in (0, 7, len(problem.others) - 1):
            alone = np.stack(model.predict(problem.others[row : row + 1], return_std=True))
            np.testing.assert_allclose(alone[:, 0], together[:, row], rtol=1e-9)
        backwards = np.stack(model.predict(problem.others[::-1], return_std=True))
        np.testing.assert_allclose(backwards[:, ::-1], together, rtol=1e-9)

    def test_goes_to_other_processes(self, space: SearchSpace, problem: _Problem, make_model: MakeModel) -> None:
        """A copy that was pickled, unfitted or fitted, answers the same."""
        model = pickled(make_model(space, 0)).fit(problem.choices, problem.labels)
        answer = _answer(model, problem)
        assert _answer(pickled(model), problem) == answer
        assert _answer(make_model(space, 0).fit(problem.choices, problem.labels), problem) == answer

    def test_is_saved_as_numbers(self, space: SearchSpace, problem: _Problem, make_model: MakeModel) -> None:
        """``state`` is arrays of numbers by name, dictionaries of their own or below; ``restore`` answers the same."""
        model = make_model(space, 0).fit(problem.choices, problem.labels)
        state = model.state()
        _check_state(state, "state()")
        assert _answer(make_model(space, 0).restore(state), problem) == _answer(model, problem)

    @pytest.mark.parametrize("labels", [2, 3, 5])
    def test_few_labels(self, space: SearchSpace, problem: _Problem, make_model: MakeModel, labels: int) -> None:
        """Two different labels are enough to answer something."""
        model = make_model(space, 0).fit(problem.choices[:labels], problem.labels[:labels])
        assert np.isfinite(model.predict(problem.others, return_std=True)).all()

    @pytest.mark.parametrize("spoiled", ["missing", "infinite", "constant", "too few", "one row"])
    def test_labels_that_teach_nothing_are_refused(
        self, space: SearchSpace, problem: _Problem, make_model: MakeModel, spoiled: str
    ) -> None:
        """They are not filled in, nor left out in silence."""
        choices, labels = problem.choices, problem.labels.copy()
        if spoiled == "one row":
            choices, labels = choices[:1], labels[:1]
        elif spoiled == "too few":
            labels = labels[:-3]
        elif spoiled == "constant":
            labels[:] = 0.9
        else:
            labels[3] = np.nan if spoiled == "missing" else np.inf
        with pytest.raises(ValueError, match=r"\w"):
            make_model(space, 0).fit(choices, labels)

    def test_what_is_no_architecture_is_refused(
        self, space: SearchSpace, problem: _Problem, make_model: MakeModel
    ) -> None:
        """On fitting and on predicting; an unfitted one says that it is unfitted."""
        wrong = problem.choices.astype(np.int64)
        wrong[1, -1] = space.choices[-1]
        model = make_model(space, 0)
        with pytest.raises((ValueError, AttributeError), match="fit"):
            model.predict(problem.choices)
        with pytest.raises(InvalidArchitectureError, match="row 1"):
            model.fit(wrong, problem.labels)
        model = make_model(space, 0).fit(problem.choices, problem.labels)
        with pytest.raises(InvalidArchitectureError, match="row 1"):
            model.predict(wrong)
        for bad in (problem.others[0], problem.others[:, 1:], np.concatenate([problem.others] * 2, axis=1)):
            with pytest.raises(ValueError, match=r"\w"):
                model.predict(bad)


def _answer(model: Any, problem: _Problem) -> bytes:
    """Return the very bytes of what it predicts, and how sure it is."""
    return np.stack(model.predict(problem.others, return_std=True)).tobytes()


def _check_state(state: Any, place: str) -> None:
    """Fail unless a state can be written to files without any code in it."""
    assert isinstance(state, dict), f"{place} is a {type(state).__name__}, not a dictionary"
    for name, value in state.items():
        assert isinstance(name, str), f"{place} has the name {name!r}"
        if isinstance(value, dict):
            _check_state(value, f"{place}[{name!r}]")
        else:
            array = np.asarray(value)
            assert array.dtype.kind in "biufS", (
                f"{place}[{name!r}] is {array.dtype}: expected numbers, or texts as bytes"
            )
