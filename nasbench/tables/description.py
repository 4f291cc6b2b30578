"""What a table file says of its content, held against the rules of docs/format.md before any value is read."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn

import h5py
import numpy as np

from nasbench.errors import TableFileError, unknown_name
from nasbench.tables.content import BLOCK_ROWS, FORMAT, SOURCE_FIELDS, VERSION
from nasbench.tables.groups import DescribedDataset, DescribedGroup, compare_digests, describe, refuse
from nasbench.tables.hdf5 import attributes

_ACCURACIES = ("validation_accuracy", "test_accuracy", "train_accuracy")
_TYPES = tuple(map(np.dtype, ("<u1", "<u2", "<u4", "<u8", "<f4", "<f8")))
_NUMBERS = "unsigned integers or floats, little-endian, of 8 to 64 bits,"
_OPTIONAL = {"identities": ((), np.dtype("<i8")), "hashes": ((16,), np.dtype("u1"))}


class ColumnInfo(NamedTuple):
    """What a file says of one column, without reading it."""

    place: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    unit: str
    epochs: tuple[int, ...]
    images: int | None
    trained_on: str
    evaluated_on: str
    digests: tuple[str, ...]
    """sha256 of the content, one for each step of the second axis, or one."""
    per_epoch: bool
    better: str = ""
    """``"higher"`` or ``"lower"`` where the file says so."""
    blocks: tuple[str, ...] = ()
    """sha256 of every 16,384 rows, step after step; empty where a file has none."""

    def step(self, epoch: int) -> int:
        """Return where on the second axis an epoch is stored."""
        return 0 if self.per_epoch else self.epochs.index(epoch)


class Description:
    """What an open file says of one image dataset and of itself, its digests verified.

    Args:
        path: For messages.
        file: The open file.
        dataset: The image dataset; the first by default.

    Raises:
        TableFileError: It is no table, of a newer version, altered, or breaks a rule of the format.
        UnknownNameError: There is no such image dataset.
        ValueError: HDF5, or an attribute, is damaged.
    """

    def __init__(self, path: str, file: h5py.File, dataset: str | None = None) -> None:
        self.path = path
        root = self._root(file)
        if dataset is not None and dataset not in self.datasets:
            raise unknown_name(f"image dataset of {path.replace(chr(92), '/').split('/')[-1]}", dataset, self.datasets)
        self.dataset = dataset or self.datasets[0]
        group = self._group(file, self.dataset, root)
        schedules = {name: self._group(file[self.dataset], name, group) for name in group.groups}
        self.architectures = self._info(root, "architectures")
        if len(self.architectures.shape) != 2 or self.architectures.dtype != np.uint8:
            self._refuse("/architectures", "a uint8 array (architectures, decisions)", form(self.architectures))
        self.size: int = self.architectures.shape[0]
        self.identities = self._optional(root, "identities")
        self.hashes = self._optional(root, "hashes")
        self._check_members(root)
        self.columns = self._columns(group)
        for name in schedules:
            if not re.fullmatch("[1-9][0-9]{0,8}", name):
                self._refuse(f"/{self.dataset}/{name}", "groups named by the epochs of a schedule", repr(name))
        self.schedules = {int(name): self._schedule(schedules[name]) for name in sorted(schedules, key=int)}

    def _refuse(self, place: str, expected: str, found: str) -> NoReturn:
        refuse(self.path, place, expected, found)

    # The groups.

    def _root(self, file: h5py.File) -> DescribedGroup:
        stated = attributes(file)
        found = stated.get("format")
        if found != FORMAT:
            raise TableFileError(
                f"{self.path}: an HDF5 file, but no nasbench table: its attribute 'format' is {found!r}, "
                f"expected {FORMAT!r}."
            )
        version = stated.get("version")
        if type(version) is not int or version < 1:
            self._refuse("/@version", f"a version from 1 to {VERSION}", repr(version))
        if version > VERSION:
            raise TableFileError(
                f"{self.path}: format version {version}, but this installation reads up to {VERSION}. "
                "Upgrade with `pip install --upgrade nasbench-suite`."
            )
        root = describe(file)
        self.digest: str = self._attribute(root, "digest", str)
        compare_digests(self.path, "/@digest", self.digest, root.digest)
        self.version: int = version
        self.space: str = self._attribute(root, "space", str)
        self.source = {name: self._attribute(root, f"source_{name}", str) for name in SOURCE_FIELDS}
        self.report = self._report(root)
        self.datasets: tuple[str, ...] = tuple(self._attribute(root, "datasets", list))
        for name in self.datasets or ("",):
            if name not in root.groups:
                self._refuse(f"/{name}", "a group", "nothing")
            self._check_name(name)
        return root

    def _check_members(self, root: DescribedGroup) -> None:
        """Refuse what nothing verifies: a reader would never look at it."""
        for name in {*root.groups, *root.datasets} - {*self.datasets, "architectures", *_OPTIONAL}:
            self._refuse(f"/{name}", "image datasets, architectures, identities and hashes", repr(name))

    def _group(self, parent: h5py.Group, name: str, described: DescribedGroup) -> DescribedGroup:
        group = describe(parent[name])
        compare_digests(self.path, f"{group.place}@digest", described.groups[name], group.digest)
        return group

    def _report(self, root: DescribedGroup) -> dict[str, Any]:
        text = self._attribute(root, "report", str)
        try:
            report = json.loads(text)
        except (ValueError, RecursionError):
            report = None
        if not isinstance(report, dict):
            self._refuse("/@report", "a JSON object", repr(text[:80]))
        return report

    # The columns.

    def _optional(self, root: DescribedGroup, name: str) -> ColumnInfo | None:
        if name not in root.datasets:
            return None
        info = self._info(root, name)
        shape, dtype = _OPTIONAL[name]
        if info.shape != (self.size, *shape) or info.dtype != dtype:
            self._refuse(info.place, f"{dtype} of shape {(self.size, *shape)}", form(info))
        return info

    def _columns(self, group: DescribedGroup) -> dict[str, ColumnInfo]:
        infos = {name: self._info(group, name) for name in group.datasets}
        for name, info in infos.items():
            if info.shape != (self.size,) or info.dtype not in _TYPES:
                self._refuse(info.place, f"{_NUMBERS} of shape ({self.size},)", form(info))
            if name in _ACCURACIES or info.images is not None:
                self._refuse(info.place, "accuracies below the schedule that they were trained with", name)
        return infos

    def _schedule(self, group: DescribedGroup) -> dict[str, ColumnInfo]:
        n = self.size
        if not group.datasets or group.groups:
            self._refuse(group.place, "columns, and nothing but columns", ", ".join(group.groups) or "nothing")
        infos = {name: self._info(group, name) for name in group.datasets}
        runs = max((info.shape[-1] for info in infos.values() if info.shape), default=1)
        for name, info in infos.items():
            epochs = min(len(info.epochs), 1) if info.per_epoch else len(info.epochs)
            if info.shape not in ((n, epochs, runs), (n, epochs, 1)) or not runs or info.dtype not in _TYPES:
                self._refuse(info.place, f"{_NUMBERS} of shape ({n}, {epochs}, {runs or 1} or 1)", form(info))
            if name in _ACCURACIES and info.images is None:
                self._refuse(f"{info.place}@images", "the number of images of an accuracy", "nothing")
        return infos

    def _check_name(self, name: str) -> None:
        """Names are printed, also where nobody expects a text from a file."""
        if not name.isprintable():
            self._refuse(repr(name), "a name without control characters", "one with them")

    def _info(self, group: DescribedGroup, name: str) -> ColumnInfo:
        self._check_name(name)
        if name not in group.datasets:
            self._refuse(f"{group.place.rstrip('/')}/{name}", "a dataset", "nothing")
        node = group.datasets[name]
        epochs = tuple(self._whole_numbers(node, "epochs"))
        per_epoch = node.attributes.get("per_epoch", 0)
        if type(per_epoch) is not int or per_epoch not in (0, 1) or (per_epoch and node.dtype.kind != "f"):
            self._refuse(f"{node.place}@per_epoch", "1, with floats, or 0", repr(per_epoch))
        if any(b <= a for a, b in pairwise(epochs)):
            self._refuse(f"{node.place}@epochs", "rising epochs", str(epochs))
        steps = 1 if per_epoch else len(epochs) or 1
        blocks = steps * -(-node.shape[0] // BLOCK_ROWS) if node.shape and "block_sha256" in node.attributes else 0
        better = self._text(node, "better")
        if better not in ("", "higher", "lower"):
            self._refuse(f"{node.place}@better", "'higher' or 'lower'", repr(better))
        return ColumnInfo(
            place=node.place,
            shape=node.shape,
            dtype=node.dtype,
            unit=self._attribute(node, "unit", str),
            epochs=epochs,
            images=self._images(node),
            trained_on=self._text(node, "trained_on"),
            evaluated_on=self._text(node, "evaluated_on"),
            digests=self._digests(node, "sha256", steps),
            per_epoch=bool(per_epoch),
            better=better,
            blocks=self._digests(node, "block_sha256", blocks) if blocks else (),
        )

    # Their attributes.

    def _attribute(self, node: DescribedGroup | DescribedDataset, name: str, kind: type) -> Any:
        value = node.attributes.get(name)
        if not isinstance(value, kind):
            self._refuse(f"{node.place}@{name}", f"an attribute of type {kind.__name__}", repr(value))
        return value

    def _digests(self, node: DescribedDataset, name: str, number: int) -> tuple[str, ...]:
        digests = tuple(self._attribute(node, name, list))
        if not all(isinstance(digest, str) for digest in digests):
            self._refuse(f"{node.place}@{name}", "texts", repr(digests))
        if len(digests) != number:
            self._refuse(f"{node.place}@{name}", f"{number} digests", str(len(digests)))
        return digests

    def _whole_numbers(self, node: DescribedDataset, name: str) -> list[int]:
        value = node.attributes.get(name, [])
        if not isinstance(value, list) or not all(type(number) is int and number > 0 for number in value):
            self._refuse(f"{node.place}@{name}", "a list of positive whole numbers", repr(value))
        return value

    def _images(self, node: DescribedDataset) -> int | None:
        value = node.attributes.get("images")
        if value is not None and (type(value) is not int or value <= 0):
            self._refuse(f"{node.place}@images", "a positive whole number", repr(value))
        if (value is None) == (node.attributes.get("unit") == "images"):
            self._refuse(
                f"{node.place}@images", "a number of images where the unit is images, and nowhere else", repr(value)
            )
        return value

    def _text(self, node: DescribedDataset, name: str) -> str:
        return str(self._attribute(node, name, str)) if name in node.attributes else ""


def form(info: ColumnInfo) -> str:
    """Spell type and shape of a column."""
    return f"{info.dtype} of shape {info.shape}"
