"""The models to take on NAS-Bench-101, by how many labels there are."""

from __future__ import annotations

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from nasbench.spaces.nb101 import NB101
from surrogates._cells101 import COUNTS
from surrogates.boosting import BoostedTrees
from surrogates.encoded import Encoded
from surrogates.encodings import GraphFeatures
from surrogates.forest import ExtraTrees
from surrogates.gaussian_process import GroupedGaussianProcess
from surrogates.graph_network import GraphNetwork
from surrogates.stack import Stack

_FEW, _MANY = 300, 2000


def default(labels: int, *, random_state: int | None = None) -> Stack:
    """Return the recommended estimator, unfitted: from choices, shape (n, 26), to accuracies.

    A Gaussian process over graph features and graph networks, always. With less than 2,000 labels boosted trees too,
    and with less than 300 extremely randomised ones: errors of different models cancel. With more labels the networks
    are ahead of the others, and count twice.

    Args:
        labels: How many labels it will learn from, roughly.
        random_state: Of everything random.
    """
    features = GraphFeatures("nb101").fit(NB101().cells[:1])
    groups = dict(zip(features.groups_, features.columns(), strict=True))
    dense = [column for name, columns in groups.items() if name not in COUNTS for column in columns]
    counts = [i for i, name in enumerate(groups) if name in COUNTS]
    # One more kernel, of all that is dense at once: groups alone could only add up.
    process = GroupedGaussianProcess([*groups.values(), dense], counts, random_state=random_state)
    network = GraphNetwork(epochs=min(60, max(20, 12_000 // labels)), members=8, random_state=random_state)
    members = [Encoded(GraphFeatures("nb101"), process), network]
    if labels < _MANY:
        members.append(Encoded(GraphFeatures("nb101"), BoostedTrees(random_state=random_state)))
    else:  # the networks count twice
        members.append(clone(network).set_params(random_state=None if random_state is None else random_state + 1))
    if labels < _FEW:
        # Few columns: of several hundred counts, random thresholds would mostly pick some that say nothing.
        chosen = Pipeline(
            [("features", GraphFeatures("nb101")), ("dense", ColumnTransformer([("dense", "passthrough", dense)]))]
        )
        members.append(Encoded(chosen, ExtraTrees(random_state=random_state)))
    return Stack(members, random_state=random_state)
