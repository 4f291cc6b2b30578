"""The search space of a file of NATS-Bench or NAS-Bench-201."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError, InvalidArchitectureError
from nasbench.spaces.nats_sss import NatsSSS
from nasbench.spaces.nb201 import NB201


class Space(NamedTuple):
    """The search space of a source, and its architectures in the order of the source."""

    space: NB201 | NatsSSS
    texts: tuple[str, ...]
    architectures: NDArray[np.uint8]


def read_space(meta: Any, place: str) -> Space:
    """Find the search space of a file's list of all architectures, ``meta_archs``.

    Raises:
        ConversionError: This is not the whole of NAS-Bench-201 or of the NATS-Bench size space.
    """
    texts = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or not texts:
        raise ConversionError(f"{place}: no NATS-Bench data: expected a dictionary with the list 'meta_archs'.")
    space = NB201() if "|" in texts[0] else NatsSSS()
    try:
        architectures = np.array([space.parse(text) for text in texts], np.uint8)
    except InvalidArchitectureError as error:
        raise ConversionError(f"{place}: in meta_archs: {error}") from None
    if len(texts) != space.size or len(np.unique(space.codes(architectures))) != space.size:
        raise ConversionError(
            f"{place}: meta_archs lists {len(set(texts))} different architectures in {len(texts)} entries, expected "
            f"each of the {space.size} of {space.name} once."
        )
    return Space(space, tuple(texts), architectures)
