"""Changing files by hand, with all digests right again: only the rules of the formats can refuse them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from _faults import samples
from nasbench.tables.hdf5 import set_attributes

Change = Callable[[h5py.File], Any]
VALID, TIME, PARAMETERS = "/a/3/validation_accuracy", "/a/3/training_time", "/a/parameters"
OURS: dict[str, Any] = {"compression": "gzip", "shuffle": True, "fletcher32": True}


def plain(node: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Return attributes as JSON holds them."""

    def text(value: Any) -> Any:
        return list(map(text, value)) if isinstance(value, list) else value.decode() if type(value) is bytes else value

    return {name: text(getattr(value, "tolist", lambda v=value: v)()) for name, value in node.attrs.items()}


def seal(group: h5py.Group) -> str:
    """Write the digests that docs/format.md asks for over whatever is there."""
    described: dict[str, Any] = {"datasets": {}, "groups": {}}
    for name in group:
        if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
            continue
        node = group.get(name)
        if isinstance(node, h5py.Group):
            described["groups"][name] = seal(node)
        elif isinstance(node, h5py.Dataset) and node.dtype.kind in "uif":
            described["datasets"][name] = {"attributes": plain(node), "shape": node.shape, "dtype": node.dtype.str}
    described["attributes"] = {name: value for name, value in plain(group).items() if name != "digest"}
    data = json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    set_attributes(group, {"digest": hashlib.sha256(data).hexdigest()})
    return hashlib.sha256(data).hexdigest()


def table(path: Path, change: Change) -> None:
    """Write a table, change it, and make its digests right."""
    samples.table(path)
    with h5py.File(path, "a") as file:
        change(file)
        seal(file)


def column(place: str, values: Any, **more: Any) -> Change:
    """Put other values in the place of a column, with its attributes and the right digests."""

    def change(file: h5py.File) -> None:
        stated = plain(file[place])
        array = np.asarray(values)
        parts = [array[:, i] for i in range(array.shape[1])] if array.ndim == 3 else [array]
        stated["sha256"] = [hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest() for part in parts]
        del file[place]
        set_attributes(file.create_dataset(place, data=array), stated | more)

    return change


def filled(place: str, value: float, dtype: Any = np.float64) -> Change:
    """Put one value into a column of floats that are 1 otherwise."""
    values = np.ones((40, 2, 1), dtype)
    values[1] = value
    return column(place, values)


def attributes(place: str, **values: Any) -> Change:
    """Set attributes."""
    return lambda file: set_attributes(file[place], values)


def chunk(place: str, data: bytes) -> Change:
    """Write the bytes of the first chunk of a column, past all filters."""
    return lambda file: file[place].id.write_direct_chunk((0,) * file[place].ndim, data)


def bomb(times: int) -> Change:
    """Put zeros in the place of the architectures, deflated several times over: 400 MB in a few hundred bytes."""

    def change(file: h5py.File) -> None:
        n = 2**26
        del file["a"], file["b"], file["architectures"], file["identities"]
        set_attributes(file, {"datasets": ["a"]})
        file.create_group("a")
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((n, 6))
        for _ in range(times):
            how.set_filter(h5py.h5z.FILTER_DEFLATE, 0, (9,))
        space = h5py.h5s.create_simple((n, 6))
        node = h5py.Dataset(h5py.h5d.create(file.id, b"architectures", h5py.h5t.STD_U8LE, space, how))
        node[:] = 0
        set_attributes(node, {"unit": "choices", "sha256": ["0" * 64]})

    return change


def overlapping(path: Path) -> None:
    """Write a table with a column of an old index, without checksums, whose second chunk begins inside of its first."""
    samples.table(path)
    with h5py.File(path, "a", libver=("earliest", "v110")) as file:
        stated = plain(file[PARAMETERS])
        values = np.arange(40, dtype=np.uint32)
        stated["sha256"] = [hashlib.sha256(values.tobytes()).hexdigest()]
        del file[PARAMETERS]
        node = file.create_dataset(PARAMETERS, data=values, chunks=(20,), **OURS)
        set_attributes(node, stated)
        seal(file)
        first, second = (node.id.get_chunk_info(i).byte_offset for i in range(2))
    content = path.read_bytes()
    old, new = (place.to_bytes(8, "little") for place in (second, first + 8))
    path.write_bytes(content.replace(old, new))


def old_form(path: Path) -> None:
    """Copy a table into a file of HDF5's first form, whose metadata has no checksums."""
    samples.table(path.with_name("new.h5"))
    with h5py.File(path.with_name("new.h5")) as source, h5py.File(path, "w", libver="earliest") as target:
        for name in source:
            source.copy(name, target)
        for name, value in source.attrs.items():
            target.attrs[name] = value


def surrogate(folder: Path, change: Change | None = None, text: Callable[[dict[str, Any]], Any] | None = None) -> None:
    """Save a surrogate, change its arrays and what it says of itself, and make its hashes right."""
    from surrogates.benchmark.fitting import fit
    from surrogates.benchmark.manifest import digest_of
    from surrogates.benchmark.saved import save

    some = samples.small_table()
    save(folder, fit(some, model="ridge", train_size=60, seeds=1), some)
    if change:
        with h5py.File(folder / "arrays.h5", "r+") as file:
            change(file)
    manifest = json.loads((folder / "surrogate.json").read_text())
    if text:
        text(manifest)
    manifest["files"]["arrays.h5"] = hashlib.sha256((folder / "arrays.h5").read_bytes()).hexdigest()
    manifest["digest"] = digest_of(manifest)
    (folder / "surrogate.json").write_text(json.dumps(manifest))
