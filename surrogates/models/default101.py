"""The models to take on NAS-Bench-101, by how many labels there are."""

from __future__ import annotations

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from nasbench.spaces.nb101 import NB101
from surrogates.encodings import GraphFeatures
from surrogates.encodings.cells101 import COUNTS
from surrogates.models.boosting import BoostedTrees
from surrogates.models.encoded import Encoded
from surrogates.models.forest import ExtraTrees
from surrogates.models.gaussian_process import GroupedGaussianProcess
from surrogates.models.graph_network import GraphNetwork
from surrogates.models.stack import Stack

_FEW, _MANY = 300, 2000


def default(labels: int, *, random_state: int | None = None) -> Stack:
    """Return the recommended estimator, unfitted: from choices, shape (n, 26), to accuracies.

    A Gaussian process over graph features and graph networks, always. With less than 2,000 labels boosted trees too,
    and with less than 300 extremely randomised ones: errors of different models cancel. Networks are ahead of the
    others and count twice; with more labels they are so far ahead that they count five times.

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
    members = [Encoded(GraphFeatures("nb101"), process)]
    if labels >= _MANY:
        network = GraphNetwork(epochs=30, members=32, batch=32, random_state=random_state)
        return Stack([*members, network], weights=[1, 5], random_state=random_state)
    network = GraphNetwork(epochs=60, members=16, batch=16, random_state=random_state)
    members += [network, Encoded(GraphFeatures("nb101"), BoostedTrees(random_state=random_state))]
    if labels < _FEW:
        # Few columns: of several hundred counts, random thresholds would mostly pick some that say nothing.
        chosen = Pipeline(
            [("features", GraphFeatures("nb101")), ("dense", ColumnTransformer([("dense", "passthrough", dense)]))]
        )
        members.append(Encoded(chosen, ExtraTrees(random_state=random_state)))
    weights = [2 if member is network else 1 for member in members]
    return Stack(members, weights=weights, random_state=random_state)
