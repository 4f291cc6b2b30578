"""The models to take: Gaussian processes and boosted trees over graph features, stacked and calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasbench import registry
from nasbench.errors import MissingPackageError
from surrogates.encodings import encoding_of
from surrogates.encodings.inputs import Extra, InputError, WithInputs
from surrogates.models.boosting import BoostedTrees
from surrogates.models.encoded import Encoded
from surrogates.models.forest import ExtraTrees, RandomForest
from surrogates.models.gaussian_process import GroupedGaussianProcess
from surrogates.models.ridge import Ridge
from surrogates.models.stack import Stack

MEMBERS = ("ridge", "random_forest", "extra_trees", "boosted_trees", "gaussian_process", "neural_networks")
"""Names of the models that a stack can be made of."""
_MEMBERS: Mapping[str, Mapping[str, float]] = {
    # Accuracies are smooth sums over the layers: trees would make it worse.
    "nb_macro": {"gaussian_process": 2, "neural_networks": 1},
}
"""The members of the recommended stack and their weights, where they are not a process and trees in equal parts."""
_LENGTHS = {"nb_macro": (1.0, 4.0, 16.0)}
_COUNTS = {"paths", "operations", "parts"}
"""Groups of features that count what a network has."""


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
        InputError: The space is nb101, whose default takes no inputs.
        UnknownNameError: No search space has this name.
        MissingPackageError: The space is nb101 or nb_macro, and torch is not installed.
    """
    if space == "nb101":
        if inputs:
            raise InputError("the default model of nb101 takes no inputs: name gaussian_process+boosted_trees.")
        try:
            from surrogates.models import default101
        except ModuleNotFoundError as error:
            raise _missing(space, error) from error
        return default101.default(labels, random_state=random_state)
    members = _MEMBERS.get(space, {"gaussian_process": 1, "boosted_trees": 1})
    return stacked(space, [*members], weights=[*members.values()], inputs=inputs, random_state=random_state)


def stacked(
    space: str,
    members: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    inputs: Sequence[Extra] = (),
    random_state: int | None = None,
) -> Encoded:
    """Return a calibrated stack of some of MEMBERS, by weight, over the encoding of a space, and inputs.

    The encoding is that of :func:`surrogates.encodings.encoding_of`.

    Raises:
        UnknownNameError: No search space has this name.
        MissingPackageError: A member is neural_networks, and torch is not installed.
        KeyError: A member is none of MEMBERS.
    """
    features = encoding_of(space)
    one = registry.find("spaces", space)().sample_many(1, np.random.default_rng(0))
    groups = features.fit(one).columns()
    if inputs:  # a group of their own: the last columns
        groups.append([*range(groups[-1][-1] + 1, groups[-1][-1] + 1 + len(inputs))])
    counts = [i for i, group in enumerate(features.groups_) if group in _COUNTS]
    lengths = _LENGTHS.get(space, (1.0, 2.0, 4.0))
    models: dict[str, Any] = {
        "ridge": Ridge(),
        "random_forest": RandomForest(random_state=random_state),
        "extra_trees": ExtraTrees(random_state=random_state),
        "boosted_trees": BoostedTrees(random_state=random_state),
        "gaussian_process": GroupedGaussianProcess(groups, counts, lengths=lengths, random_state=random_state),
    }
    if "neural_networks" in members:
        try:
            from surrogates.models.neural_network import NeuralNetworks
        except ModuleNotFoundError as error:
            raise _missing(space, error) from error
        models["neural_networks"] = NeuralNetworks(random_state=random_state)
    model = Stack([models[name] for name in members], weights=weights, random_state=random_state)
    encoding = WithInputs(space, inputs) if inputs else encoding_of(space)
    return Encoded(encoding, model)


def _missing(space: str, error: ModuleNotFoundError) -> MissingPackageError:
    without = "gaussian_process" if space == "nb_macro" else "gaussian_process+boosted_trees"
    return MissingPackageError(
        f"this model of {space} needs {error.name}, which is not installed: pip install 'nasbench-suite[train]'; "
        f"or take the model {without}."
    )
