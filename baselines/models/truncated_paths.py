"""The path encoding of BANANAS as naszilla cuts it, which is what its published searches see.

White, Neiswanger & Savani, "BANANAS", AAAI 2021, section 4.1; cell_201.py and cell_101.py of naszilla, trunc_path.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces import nb201
from surrogates.encodings import Encoding, Paths

Groups = dict[str, tuple[list[str], NDArray[np.float64]]]

_SHORT_101 = 1 + 3 + 9 + 27


class TruncatedPaths(Encoding):
    """Whether a cell has each short path, as the sequence of its operations.

    30 of 155 paths in NAS-Bench-201: those of one and of two edges, where a path may go through the operation none. The
    edge 1>2 is not seen at all: only the path of three edges takes it. 40 of 364 in NAS-Bench-101: those of at most
    three operations.
    """

    def _encode(self, choices: NDArray[np.uint8]) -> Groups:
        if self.space == "nb101":
            names, values = Paths("nb101")._encode(choices)["paths"]
            return {"paths": (names[:_SHORT_101], values[:, :_SHORT_101])}
        if self.space != "nb201":
            raise self._unknown(["nb201", "nb101"])
        every = range(len(nb201.OPERATIONS))
        one = {(a,): choices[:, 3] == a for a in every}
        two = {
            (a, b): (choices[:, 0] == a) & (choices[:, 4] == b) | (choices[:, 1] == a) & (choices[:, 5] == b)
            for a, b in product(every, repeat=2)
        }
        names = [" ".join(nb201.OPERATIONS[i] for i in path) for path in [*one, *two]]
        return {"paths": (names, np.stack([*one.values(), *two.values()], axis=1).astype(np.float64))}
