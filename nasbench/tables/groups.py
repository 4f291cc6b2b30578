"""What the groups of a table file say of themselves, and the digests of that: see docs/format.md, Digests."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import h5py
import numpy as np

from nasbench.errors import TableFileError
from nasbench.system.files import canonical_json
from nasbench.tables.hdf5 import attributes, is_plain

if TYPE_CHECKING:
    from numpy.typing import NDArray


class DescribedDataset(NamedTuple):
    """What a dataset says of itself."""

    place: str
    attributes: dict[str, Any]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class DescribedGroup(NamedTuple):
    """What a group says of itself and its datasets, and the digests of the groups below it."""

    place: str
    attributes: dict[str, Any]
    datasets: dict[str, DescribedDataset]
    groups: dict[str, str]

    @property
    def digest(self) -> str:
        """The sha256 of all of it but the digest attribute."""
        described = {
            "attributes": {name: value for name, value in self.attributes.items() if name != "digest"},
            "datasets": {
                name: {"attributes": node.attributes, "shape": node.shape, "dtype": node.dtype.str}
                for name, node in self.datasets.items()
            },
            "groups": self.groups,
        }
        return hashlib.sha256(canonical_json(described)).hexdigest()


def describe(group: h5py.Group) -> DescribedGroup:
    """Read all of what a group says, but no values.

    Raises:
        TableFileError: There is a link in it, or anything but groups and plain numbers stored in the file itself.
        ValueError: An attribute is neither number nor text, nor a list of either.
    """
    datasets, groups = {}, {}
    for name in group:
        # Links and data kept elsewhere would read outside of what the digests cover.
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise TableFileError(
                f"{group.file.filename}: at {group.name}: {name!r} is a link; everything must lie in the file itself."
            )
        node = group[name]
        if isinstance(node, h5py.Group):
            groups[name] = str(attributes(node).get("digest"))
        elif is_plain(node):
            datasets[name] = DescribedDataset(node.name, attributes(node), node.shape, node.dtype)
        else:
            raise TableFileError(
                f"{group.file.filename}: at {node.name}: expected plain numbers stored in the file itself, found "
                f"{node}."
            )
    return DescribedGroup(group.name, attributes(group), datasets, groups)


def sha256_of(values: NDArray[Any]) -> str:
    """Return the digest of values: of their bytes, little-endian, in C order."""
    return hashlib.sha256(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data).hexdigest()


def refuse(path: str, place: str, expected: str, found: str) -> NoReturn:
    """Raise the TableFileError for something in a file that is not what it should be.

    Args:
        path: The file.
        place: Where in it.
        expected: What should be there.
        found: What is there.
    """
    raise TableFileError(f"{path}: at {place}: expected {expected}, found {found}.")


def compare_digests(path: str, place: str, expected: str, actual: str) -> None:
    """Refuse what was altered after its digest was written.

    Args:
        path: The file.
        place: Where in it.
        expected: The digest in the file.
        actual: The digest of what is there.
    """
    if actual != expected:
        refuse(path, place, f"the digest {expected[:16]}… that was written with it", f"{actual[:16]}…")
