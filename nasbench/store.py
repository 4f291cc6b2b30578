"""The HDF5 table format, version 1: write it atomically, open it, read single columns, verify all of it.

The format is written down in docs/format.md. Digests form a tree (epoch of a column, image dataset, file), so that
opening verifies the description of everything and reading verifies exactly what is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import h5py
import numpy as np

from nasbench._files import canonical_json, replacing
from nasbench._hdf5 import attributes, create, open_file, set_attributes
from nasbench.errors import NasbenchError, TableFileError, unknown_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "nasbench table"
VERSION = 1

# Deflate cannot shrink data more than 1032 times (zlib.net/zlib_tech.html): a column that claims more is a bomb.
_LARGEST_RATIO = 1100
_CHUNK_ROWS = 2**14


class Column(NamedTuple):
    """One metric as it is stored.

    Args:
        values: Shape (architectures,), or (architectures, epochs, runs) below a schedule, where one run stands for
            a value that is the same in every run. Missing: the largest value of an unsigned type, nan of a float.
        unit: ``"images"`` (a count of correctly classified images), ``"seconds"``, ``"parameters"``, ...
        epochs: Completed epochs of each step of the second axis, rising; empty without a schedule.
        images: How many images an accuracy was measured on; None for other units.
        trained_on: Split that the network was trained on.
        evaluated_on: Split that an accuracy was measured on.
        per_epoch: The values are those of one epoch, the same in each: their second axis has length one, and the
            value at epoch e is e times that.
    """

    values: NDArray[Any]
    unit: str
    epochs: tuple[int, ...] = ()
    images: int | None = None
    trained_on: str = ""
    evaluated_on: str = ""
    per_epoch: bool = False


class DatasetContent(NamedTuple):
    """All columns of one image dataset: those of the architecture, and those of each schedule."""

    columns: Mapping[str, Column]
    schedules: Mapping[int, Mapping[str, Column]]


class TableContent(NamedTuple):
    """Everything that :func:`write` puts into a file.

    Args:
        space: Name of the search space.
        architectures: uint8, shape (n, decisions), in the order of the source.
        datasets: By name of the image dataset; the first is the default.
        source: ``name``, ``address``, ``licence``, ``citation``, ``sha256`` (one ``file digest`` a line) and
            ``elsewhere`` (what the source does not record, and which official file does).
        report: What the conversion found, as JSON.
        identities: int64, shape (n,): the space's ``identity_many`` of each row, where computing it takes longer than
            reading it.
        hashes: uint8, shape (n, 16): the source's own MD5 hash of each row, where it names its architectures by one.
    """

    space: str
    architectures: NDArray[np.uint8]
    datasets: Mapping[str, DatasetContent]
    source: Mapping[str, str]
    report: Mapping[str, Any]
    identities: NDArray[np.int64] | None = None
    hashes: NDArray[np.uint8] | None = None


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

    def step(self, epoch: int) -> int:
        """Return where on the second axis an epoch is stored."""
        return 0 if self.per_epoch else self.epochs.index(epoch)


SOURCE_FIELDS = ("name", "address", "licence", "citation", "sha256", "elsewhere")


def write(path: str | os.PathLike[str], content: TableContent) -> None:
    """Write a table file: to a temporary name, synced, renamed. The same content gives the same bytes.

    Raises:
        TableFileError: The content breaks a rule of the format; nothing is written.
    """
    with replacing(path) as temporary:
        with create(temporary) as file:
            set_attributes(file, {"format": FORMAT, "version": VERSION, "space": content.space})
            set_attributes(file, {f"source_{name}": content.source[name] for name in SOURCE_FIELDS})
            set_attributes(file, {"report": json.dumps(content.report, sort_keys=True)})
            set_attributes(file, {"datasets": list(content.datasets)})
            _write_column(file, "architectures", Column(content.architectures, unit="choices"))
            if content.identities is not None:
                _write_column(file, "identities", Column(content.identities, unit="identity"))
            if content.hashes is not None:
                _write_column(file, "hashes", Column(content.hashes, unit="MD5"))
            for name, dataset in content.datasets.items():
                group = file.create_group(name)
                for metric, column in dataset.columns.items():
                    _write_column(group, metric, column)
                for schedule, columns in dataset.schedules.items():
                    below = group.create_group(str(schedule))
                    for metric, column in columns.items():
                        _write_column(below, metric, column)
                    set_attributes(below, {"digest": _describe(below).digest})
                set_attributes(group, {"digest": _describe(group).digest})
            set_attributes(file, {"digest": _describe(file).digest})
        # Whatever a reader would refuse is refused here, before the file gets its name.
        try:
            TableFile(temporary).verify()
        except TableFileError as error:
            raise TableFileError(str(error).replace(temporary, os.fspath(path))) from None


class TableFile:
    """A table file, opened and its description verified; columns are read, and verified, one by one.

    No handle stays open, so the object may be pickled, shared by threads and carried through fork.

    Args:
        path: The file.
        dataset: The image dataset to open; the file's first by default.

    Raises:
        TableFileError: The file is missing, no HDF5, truncated, no table, of a newer version, altered, or a dataset
            in it is missing or misshapen. The message names file, place, found and expected.
        UnknownNameError: The file has no such image dataset.
    """

    def __init__(self, path: str | os.PathLike[str], dataset: str | None = None) -> None:
        self.path = os.fspath(path)
        with self._opened() as file:
            root = self._root(file)
            if dataset is not None and dataset not in self.datasets:
                raise unknown_name(f"image dataset of {os.path.basename(self.path)}", dataset, self.datasets)
            self.dataset = dataset or self.datasets[0]
            group = self._group(file, self.dataset, root)
            schedules = {name: self._group(file[self.dataset], name, group) for name in group.groups}
        self._architectures = self._info(root, "architectures")
        if len(self._architectures.shape) != 2 or self._architectures.dtype != np.uint8:
            self._refuse("/architectures", "a uint8 array (architectures, decisions)", _form(self._architectures))
        self.size: int = self._architectures.shape[0]
        self._identities = self._optional(root, "identities", (), np.dtype(np.int64))
        self._hashes = self._optional(root, "hashes", (16,), np.dtype(np.uint8))
        self.columns = self._columns(group)
        for name in schedules:
            if not re.fullmatch("[1-9][0-9]{0,8}", name):
                self._refuse(f"/{self.dataset}/{name}", "groups named by the epochs of a schedule", repr(name))
        self.schedules = {int(name): self._schedule(schedules[name]) for name in sorted(schedules, key=int)}

    def architectures(self) -> NDArray[np.uint8]:
        """Read the choice vectors, shape (n, decisions), in table order."""
        return self.read(self._architectures)

    def identities(self) -> NDArray[np.int64] | None:
        """Read the identities of the rows, shape (n,), or None where the file leaves them to the search space."""
        return None if self._identities is None else self.read(self._identities)

    def hashes(self) -> NDArray[np.uint8] | None:
        """Read the source's hashes of the rows, shape (n, 16), or None where it has none."""
        return None if self._hashes is None else self.read(self._hashes)

    def read(self, info: ColumnInfo, epoch: int | None = None) -> NDArray[Any]:
        """Read one column: as it is stored, shape (n,), or at one epoch of a schedule, shape (n, runs).

        Raises:
            TableFileError: The file is gone, cannot be read, or its content is not what its digest says.
        """
        with self._opened() as file:
            values = self._read(file, info, 0 if epoch is None else info.step(epoch))
        return _up_to(info, epoch, values)

    def read_row(self, places: Sequence[tuple[ColumnInfo, int | None]], row: int) -> list[NDArray[Any]]:
        """Read one row of several columns: shape (1,), or (1, runs) at an epoch.

        That is fast in a large file, and protected by the checksums of HDF5's chunks, but not by the digests, which are
        of whole columns.

        Raises:
            TableFileError: As for :meth:`read`.
        """
        with self._opened() as file:
            found = []
            for info, epoch in places:
                node = self._node(file, info)
                values = node[row : row + 1] if epoch is None else node[row : row + 1, info.step(epoch), :]
                found.append(_up_to(info, epoch, values))
            return found

    def verify(self) -> int:
        """Read everything in the file and compare it with the digests.

        Returns:
            The number of columns, over all image datasets.

        Raises:
            TableFileError: As for opening and reading.
        """
        self.architectures()
        count = 1 + (self.identities() is not None) + (self.hashes() is not None)
        for dataset in self.datasets:
            other = TableFile(self.path, dataset)
            with other._opened() as file:
                for info in [*other.columns.values(), *(i for s in other.schedules.values() for i in s.values())]:
                    for step in range(len(info.digests)):
                        other._read(file, info, step)
                    count += 1
        return count

    @contextmanager
    def _opened(self) -> Iterator[h5py.File]:
        """Open the file; the one place where HDF5's errors become ours."""
        if not os.path.isfile(self.path):
            raise TableFileError(f"{self.path}: no such file.")
        try:
            with open_file(self.path) as file:
                yield file
        except NasbenchError:
            raise
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError, OverflowError) as error:
            raise TableFileError(
                f"{self.path}: not a readable HDF5 file (not HDF5, truncated or damaged): {_short(error)}. "
                "Expected a nasbench table; make it again with `nasbench convert`, or copy it again."
            ) from None

    def _refuse(self, place: str, expected: str, found: str) -> NoReturn:
        raise TableFileError(f"{self.path}: at {place}: expected {expected}, found {found}.")

    def _report(self, root: _Group) -> dict[str, Any]:
        text = self._attribute(root, "report", str)
        try:
            report = json.loads(text)
        except ValueError:
            report = None
        if not isinstance(report, dict):
            self._refuse("/@report", "a JSON object", repr(text[:80]))
        return report

    def _attribute(self, node: _Group | _Dataset, name: str, kind: type) -> Any:
        value = node.attributes.get(name)
        if not isinstance(value, kind):
            self._refuse(f"{node.place}@{name}", f"an attribute of type {kind.__name__}", repr(value))
        return value

    def _root(self, file: h5py.File) -> _Group:
        stated = attributes(file)
        found = stated.get("format")
        if found != FORMAT:
            raise TableFileError(
                f"{self.path}: an HDF5 file, but no nasbench table: its attribute 'format' is {found!r}, "
                f"expected {FORMAT!r}."
            )
        self.version = stated.get("version")
        if type(self.version) is not int or self.version < 1:
            self._refuse("/@version", f"a version from 1 to {VERSION}", repr(self.version))
        if self.version > VERSION:
            raise TableFileError(
                f"{self.path}: format version {self.version}, but this installation reads up to {VERSION}. "
                "Upgrade with `pip install --upgrade nasbench-suite`."
            )
        root = _describe(file)
        self.digest: str = self._attribute(root, "digest", str)
        self._compare("/@digest", self.digest, root.digest)
        self.space: str = self._attribute(root, "space", str)
        self.source = {name: self._attribute(root, f"source_{name}", str) for name in SOURCE_FIELDS}
        self.report = self._report(root)
        self.datasets = tuple(self._attribute(root, "datasets", list))
        for name in self.datasets or ("",):
            if name not in root.groups:
                self._refuse(f"/{name}", "a group", "nothing")
        return root

    def _group(self, parent: h5py.Group, name: str, described: _Group) -> _Group:
        group = _describe(parent[name])
        self._compare(f"{group.place}@digest", described.groups[name], group.digest)
        return group

    def _compare(self, place: str, expected: str, actual: str) -> None:
        if actual != expected:
            self._refuse(place, f"the digest {expected[:16]}… that was written with it", f"{actual[:16]}…")

    def _optional(self, root: _Group, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ColumnInfo | None:
        if name not in root.datasets:
            return None
        info = self._info(root, name)
        if info.shape != (self.size, *shape) or info.dtype != dtype:
            self._refuse(info.place, f"{dtype} of shape {(self.size, *shape)}", _form(info))
        return info

    def _columns(self, group: _Group) -> dict[str, ColumnInfo]:
        infos = {name: self._info(group, name) for name in group.datasets}
        for info in infos.values():
            if info.shape != (self.size,) or info.dtype.kind not in "uf":
                self._refuse(info.place, f"unsigned integers or floats of shape ({self.size},)", _form(info))
        return infos

    def _schedule(self, group: _Group) -> dict[str, ColumnInfo]:
        n = self.size
        infos = {name: self._info(group, name) for name in group.datasets}
        runs = max((info.shape[-1] for info in infos.values() if info.shape), default=1)
        for info in infos.values():
            epochs = min(len(info.epochs), 1) if info.per_epoch else len(info.epochs)
            if info.shape not in ((n, epochs, runs), (n, epochs, 1)) or not runs or info.dtype.kind not in "uf":
                self._refuse(
                    info.place, f"unsigned integers or floats of shape ({n}, {epochs}, {runs or 1} or 1)", _form(info)
                )
        return infos

    def _info(self, group: _Group, name: str) -> ColumnInfo:
        if name not in group.datasets:
            self._refuse(f"{group.place.rstrip('/')}/{name}", "a dataset", "nothing")
        node = group.datasets[name]
        epochs = tuple(self._whole_numbers(node, "epochs"))
        digests = tuple(self._attribute(node, "sha256", list))
        if not all(isinstance(digest, str) for digest in digests):
            self._refuse(f"{node.place}@sha256", "texts", repr(digests))
        per_epoch = node.attributes.get("per_epoch", 0)
        if type(per_epoch) is not int or per_epoch not in (0, 1) or (per_epoch and node.dtype.kind != "f"):
            self._refuse(f"{node.place}@per_epoch", "1, with floats, or 0", repr(per_epoch))
        steps = 1 if per_epoch else len(epochs) or 1
        if len(digests) != steps:
            self._refuse(f"{node.place}@sha256", f"{steps} digests", str(len(digests)))
        if any(b <= a for a, b in pairwise(epochs)):
            self._refuse(f"{node.place}@epochs", "rising epochs", str(epochs))
        return ColumnInfo(
            place=node.place,
            shape=node.shape,
            dtype=node.dtype,
            unit=self._attribute(node, "unit", str),
            epochs=epochs,
            images=self._images(node),
            trained_on=self._text(node, "trained_on"),
            evaluated_on=self._text(node, "evaluated_on"),
            digests=digests,
            per_epoch=bool(per_epoch),
        )

    def _whole_numbers(self, node: _Dataset, name: str) -> list[int]:
        value = node.attributes.get(name, [])
        if not isinstance(value, list) or not all(type(number) is int and number > 0 for number in value):
            self._refuse(f"{node.place}@{name}", "a list of positive whole numbers", repr(value))
        return value

    def _images(self, node: _Dataset) -> int | None:
        value = node.attributes.get("images")
        if value is not None and (type(value) is not int or value <= 0):
            self._refuse(f"{node.place}@images", "a positive whole number", repr(value))
        return value

    def _text(self, node: _Dataset, name: str) -> str:
        return str(self._attribute(node, name, str)) if name in node.attributes else ""

    def _read(self, file: h5py.File, info: ColumnInfo, step: int) -> NDArray[Any]:
        """Read what is stored of one step of the second axis, or all where there are no epochs."""
        node = self._node(file, info)
        stored = node.id.get_storage_size()
        if node.nbytes > _LARGEST_RATIO * (stored + 1024):
            self._refuse(info.place, "data of the size it claims", f"{stored} bytes for {node.nbytes}")
        values = node[:, step, :] if info.epochs else node[()]
        place = f"{info.place}, epoch {info.epochs[step]}" if info.epochs and not info.per_epoch else info.place
        self._compare(place, info.digests[step], _sha256(values))
        if info.images is not None and np.any((values > info.images) & (values != missing_value(info.dtype))):
            self._refuse(place, f"at most {info.images} images", str(values.max()))
        values.flags.writeable = False
        return np.asarray(values)

    def _node(self, file: h5py.File, info: ColumnInfo) -> h5py.Dataset:
        node = file.get(info.place)
        if not isinstance(node, h5py.Dataset) or node.shape != info.shape or node.dtype != info.dtype:
            self._refuse(info.place, f"the column that was there when the file was opened, {_form(info)}", "another")
        return node


def _up_to(info: ColumnInfo, epoch: int | None, values: NDArray[Any]) -> NDArray[Any]:
    """Return the values at an epoch of those that are stored for it."""
    return values * epoch if info.per_epoch and epoch is not None else values


def missing_value(dtype: np.dtype[Any]) -> float | int:
    """Return what marks a value as not recorded: nan of a float, the largest value of an unsigned integer."""
    return float("nan") if dtype.kind == "f" else int(np.iinfo(dtype).max)


class _Dataset(NamedTuple):
    place: str
    attributes: dict[str, Any]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _Group(NamedTuple):
    """What a group says of itself and its datasets, and the digests of the groups below it."""

    place: str
    attributes: dict[str, Any]
    datasets: dict[str, _Dataset]
    groups: dict[str, str]

    @property
    def digest(self) -> str:
        """The sha256 of all of it but the digest attribute: see docs/format.md."""
        described = {
            "attributes": {name: value for name, value in self.attributes.items() if name != "digest"},
            "datasets": {
                name: {"attributes": node.attributes, "shape": node.shape, "dtype": node.dtype.str}
                for name, node in self.datasets.items()
            },
            "groups": self.groups,
        }
        return hashlib.sha256(canonical_json(described)).hexdigest()


def _describe(group: h5py.Group) -> _Group:
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
        elif not isinstance(node, h5py.Dataset) or node.dtype.kind not in "uif" or node.external or node.is_virtual:
            raise TableFileError(
                f"{group.file.filename}: at {node.name}: expected plain numbers stored in the file itself, found "
                f"{node}."
            )
        else:
            datasets[name] = _Dataset(node.name, attributes(node), node.shape, node.dtype)
    return _Group(group.name, attributes(group), datasets, groups)


def _write_column(group: h5py.Group, name: str, column: Column) -> None:
    values = np.ascontiguousarray(column.values, column.values.dtype.newbyteorder("<"))
    # One chunk an epoch: a query at one epoch reads nothing else. In large tables it reads a few rows of that only.
    rows = min(values.shape[0], _CHUNK_ROWS)
    chunks = (rows, 1, values.shape[2]) if column.epochs else (rows, *values.shape[1:])
    # The digits of a float are noise: a higher level takes twenty times as long and saves one percent.
    level = 4 if values.dtype.kind == "f" else 9
    node = group.create_dataset(
        name, data=values, chunks=chunks, compression="gzip", compression_opts=level, shuffle=True, fletcher32=True
    )
    stated: dict[str, Any] = {"unit": column.unit}
    steps = 1 if column.per_epoch else len(column.epochs)
    stated["sha256"] = [_sha256(values[:, i]) for i in range(steps)] or [_sha256(values)]
    if column.per_epoch:
        stated["per_epoch"] = 1
    if column.epochs:
        stated["epochs"] = np.array(column.epochs, np.int32)
    if column.images is not None:
        stated["images"] = column.images
    if column.evaluated_on:
        stated["evaluated_on"] = column.evaluated_on
    if column.trained_on:
        stated["trained_on"] = column.trained_on
    set_attributes(node, stated)


def _sha256(values: NDArray[Any]) -> str:
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def _form(info: ColumnInfo) -> str:
    return f"{info.dtype} of shape {info.shape}"


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]


def read_content(path: str | os.PathLike[str]) -> TableContent:
    """Read a whole table file back, verified: :func:`write` makes a file of the same digest from it.

    Raises:
        TableFileError: As for :class:`TableFile`, or the file was replaced while it was read.
    """
    first = TableFile(path)
    datasets = {}
    for name in first.datasets:
        file = TableFile(path, name)
        file._compare("/@digest", first.digest, file.digest)
        with file._opened() as handle:
            columns = {metric: _whole(file, handle, info) for metric, info in file.columns.items()}
            schedules = {
                schedule: {metric: _whole(file, handle, info) for metric, info in infos.items()}
                for schedule, infos in file.schedules.items()
            }
        datasets[name] = DatasetContent(columns, schedules)
    return TableContent(
        first.space,
        first.architectures(),
        datasets,
        first.source,
        first.report,
        first.identities(),
        first.hashes(),
    )


def _whole(file: TableFile, handle: h5py.File, info: ColumnInfo) -> Column:
    parts = [file._read(handle, info, step) for step in range(len(info.digests))]
    values = np.stack(parts, axis=1) if info.epochs else parts[0]
    return Column(values, info.unit, info.epochs, info.images, info.trained_on, info.evaluated_on, info.per_epoch)
