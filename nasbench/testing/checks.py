"""What the contracts check alike."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nasbench.spaces import SearchSpace


def check_architecture(space: SearchSpace, architecture: Any, origin: str) -> None:
    """Fail unless this is an architecture of the space, of Python integers.

    Args:
        space: The search space.
        architecture: What came.
        origin: Where it came from, for the message.
    """
    assert space.is_valid(architecture), f"{origin} returned {architecture!r}, which is not valid in {space.name}"
    assert all(type(choice) is int for choice in architecture), (
        f"{origin} returned {architecture!r}: expected Python integers, not numpy's"
    )


def pickled(value: Any) -> Any:
    """Return a copy that was pickled and read back, as it comes to a worker process."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301  what we pickled ourselves


@contextmanager
def global_randomness_untouched() -> Iterator[None]:
    """Fail if a global random generator is drawn from, or seeded, within."""

    def state() -> tuple[Any, ...]:
        name, keys, *rest = np.random.get_state()  # noqa: NPY002  only looked at
        return random.getstate(), name, np.asarray(keys).tobytes(), *rest

    before = state()
    yield
    assert state() == before, "a global random generator was used: draw from the generator or seed that was given"
