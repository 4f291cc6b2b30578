"""Many NAS-Bench-101 cells given as adjacency matrices and operations, without a loop over cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InvalidArchitectureError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def compact(
    matrices: ArrayLike, operations: ArrayLike, names: tuple[str, ...], vertices: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Prune cells and renumber what is left: interior vertices first, the output last.

    Args:
        matrices: Upper triangular, 0 or 1, shape (n, v, v), v from two to ``vertices``.
        operations: Names, shape (n, v); those of pruned vertices may be anything.
        names: Those of the operations of interior vertices.
        vertices: How many vertices the result has.

    Returns:
        Adjacency, shape (n, vertices, vertices), and the index in ``names`` of each interior operation, shape
        (n, vertices - 2), 0 where there is no vertex.

    Raises:
        InvalidArchitectureError: The arrays have other shapes or values; the message names the first row.
    """
    edge, texts = _arrays(matrices, operations, vertices)
    n, v, _ = edge.shape
    kept = _kept(edge)
    # Without a path nothing is kept, and the caller finds no valid cell.
    path = kept[:, -1]
    _refuse(path & (texts[:, 0] != "input"), "operation 0 must be 'input'")
    _refuse(path & (texts[:, -1] != "output"), "operation -1 must be 'output'")
    codes = np.full(texts.shape, len(names), np.uint8)
    for code, name in enumerate(names):
        codes[texts == name] = code
    _refuse((kept[:, 1:-1] & (codes[:, 1:-1] == len(names))).any(axis=1), f"operations must be of {', '.join(names)}")
    codes *= kept
    edge = edge & kept[:, :, None] & kept[:, None, :]
    sparse = np.flatnonzero(~kept.all(axis=1) & path)
    # Kept vertices first, in their order; the output stays where it is.
    order = np.argsort(~kept[sparse, :-1], axis=1, kind="stable")
    order = np.concatenate([order, np.full((len(sparse), 1), v - 1)], axis=1)
    codes[sparse] = np.take_along_axis(codes[sparse], order, 1)
    edge[sparse] = np.take_along_axis(np.take_along_axis(edge[sparse], order[:, :, None], 1), order[:, None, :], 2)
    places = [*range(v - 1), vertices - 1]
    wide = np.zeros((n, vertices, vertices), np.uint8)
    wide[:, np.array(places)[:, None], places] = edge
    interior = np.zeros((n, vertices - 2), np.uint8)
    interior[:, : v - 2] = codes[:, 1:-1]
    return wide, interior


def _arrays(matrices: ArrayLike, operations: ArrayLike, vertices: int) -> tuple[NDArray[np.bool_], NDArray[np.str_]]:
    expected = f"expected matrices of shape (n, v, v) and operations of shape (n, v), v from 2 to {vertices}"
    try:
        given: NDArray[Any] = np.asarray(matrices)
        texts: NDArray[Any] = np.asarray(operations)
    except ValueError:  # cells of different sizes
        raise InvalidArchitectureError(f"{expected}; cells of different sizes go in several calls.") from None
    if given.ndim != 3 or not 2 <= given.shape[1] == given.shape[2] <= vertices or texts.shape != given.shape[:2]:
        raise InvalidArchitectureError(f"{expected}; found {given.shape} and {texts.shape}.")
    if given.dtype.kind not in "biuf" or texts.dtype.kind != "U":
        raise InvalidArchitectureError(f"{expected}, numbers and text; found {given.dtype} and {texts.dtype}.")
    edge = given != 0
    _refuse((edge & (given != 1)).any(axis=(1, 2)), "the adjacency matrix must hold 0 and 1 only")
    below = np.tri(given.shape[1], dtype=np.bool_)
    _refuse((edge & below).any(axis=(1, 2)), "the adjacency matrix must be upper triangular")
    return edge, texts


def _kept(edge: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which vertices lie on a path from the input to the output, shape (n, v)."""
    v = edge.shape[1]
    reached = np.zeros(edge.shape[:2], np.bool_)
    useful = reached.copy()
    reached[:, 0] = useful[:, -1] = True
    for y in range(1, v):
        reached[:, y] = (edge[:, :y, y] & reached[:, :y]).any(axis=1)
    for x in range(v - 2, -1, -1):
        useful[:, x] = (edge[:, x, x + 1 :] & useful[:, x + 1 :]).any(axis=1)
    return reached & useful


def _refuse(wrong: NDArray[np.bool_], why: str) -> None:
    if wrong.any():
        raise InvalidArchitectureError(f"row {int(np.argmax(wrong))} is no cell of nb101: {why}.")
