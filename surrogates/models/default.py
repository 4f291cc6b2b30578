"""The models to take: Gaussian processes and boosted trees over graph features, stacked and calibrated."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from nasbench import registry
from nasbench.errors import MissingPackageError
from surrogates.encodings import encoding_of
from surrogates.encodings.inputs import Extra, InputError, WithInputs
from surrogates.features import Features, features_of
from surrogates.models.encoded import Encoded
from surrogates.models.ranked import RankedRegressor
from surrogates.models.stack import Stack

_UNKNOWN = Features(groups=lambda choices: {})
"""What is taken of a space that names no features: all but these."""


def default(space: str, *, labels: int = 500, inputs: Sequence[Extra] = (), random_state: int | None = None) -> Any:
    """Return the recommended estimator, unfitted: from choices, shape (n, decisions), to accuracies.

    A Gaussian process learns how a smooth function of depth and width goes on between labels, boosted trees where it
    breaks. Together they are ahead of either at all numbers of labels that were tried (docs/surrogates.md). On
    NAS-Bench-101 graph networks join them, and on NAS-Bench-Macro neural networks take the place of trees: both need
    torch.

    Args:
        space: Name of a search space. One without graph features, such as a third party's, is seen as one-hot choices.
        labels: How many labels it will learn from, roughly: on NAS-Bench-101 that decides which models.
        inputs: What it looks at beside the architecture: it must have been measured for all that it meets.
        random_state: Of everything random.

    Raises:
        InputError: The space is nb101, or another whose default is no stack and takes no inputs.
        UnknownNameError: No search space has this name.
        MissingPackageError: The space is nb101 or nb_macro, and torch is not installed.
    """
    features = features_of(space) or _UNKNOWN
    if not features.default:
        members = features.weights
        return stacked(space, [*members], weights=[*members.values()], inputs=inputs, random_state=random_state)
    if inputs:
        raise InputError(f"the default model of {space} takes no inputs: name {'+'.join(features.weights)}.")
    try:
        make = registry.load(features.default, f"the default model of {space}")
    except ModuleNotFoundError as error:
        raise _missing(space, error.name) from error
    return make(labels, random_state=random_state)


def stacked(
    space: str,
    members: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    inputs: Sequence[Extra] = (),
    random_state: int | None = None,
) -> Encoded:
    """Return a calibrated stack of some registered models, by weight, over the encoding of a space, and inputs.

    The encoding is that of :func:`surrogates.encodings.encoding_of`. A model is given what its constructor names, of
    ``groups`` (the columns of each group of features), ``counts`` (which groups are counts), ``lengths``
    (:attr:`surrogates.features.Features.lengths`) and ``random_state``.

    Args:
        space: Name of a search space.
        members: Names of models.
        weights: Of the members; all alike by default.
        inputs: What they look at beside the architecture.
        random_state: Of everything random.

    Raises:
        UnknownNameError: No search space, or no model, has this name.
        MissingPackageError: A model needs a package that is not installed.
    """
    encoding, known = encoding_of(space), features_of(space) or _UNKNOWN
    one = registry.find("spaces", space)().sample_many(1, np.random.default_rng(0))
    groups = encoding.fit(one).columns()
    if inputs:  # a group of their own: the last columns
        groups.append([*range(groups[-1][-1] + 1, groups[-1][-1] + 1 + len(inputs))])
    offered = {
        "groups": groups,
        "counts": [i for i, group in enumerate(encoding.groups_) if group in known.counts],
        "lengths": known.lengths,
        "random_state": random_state,
    }
    models = [_made(space, name, offered) for name in members]
    model = Stack(models, weights=weights, random_state=random_state)
    return Encoded(WithInputs(space, inputs) if inputs else encoding_of(space), model)


def _made(space: str, name: str, offered: dict[str, Any]) -> RankedRegressor:
    try:
        kind = registry.find("models", name)
    except MissingPackageError as error:
        raise _missing(space, getattr(error.__cause__, "name", None)) from error
    named = inspect.signature(kind).parameters
    model: RankedRegressor = kind(**{key: value for key, value in offered.items() if key in named})
    return model


def _missing(space: str, package: str | None) -> MissingPackageError:
    weights = (features_of(space) or _UNKNOWN).weights
    without = "+".join(name for name in weights if name != "neural_networks")
    return MissingPackageError(
        f"this model of {space} needs {package}, which is not installed: pip install 'nasbench-suite[train]'; "
        f"or take the model {without}."
    )
