"""Where an old script's table is found, and which official files are converted for it."""

from __future__ import annotations

import bz2
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _random_nats_table import answers, write_table

from nasbench.compat import nats_bench as ours
from nasbench.compat.nats_bench import NATStopology, create
from nasbench.errors import TableFileError
from nasbench.spaces.nb201 import NB201


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("table") / "all.h5")


@pytest.fixture
def api(table: Path) -> NATStopology:
    found = create(table, "tss", verbose=False, seed=1)
    assert isinstance(found, NATStopology)
    return found


def test_where_it_looks(table, tmp_path, monkeypatch):
    monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    with pytest.raises(
        ValueError, match=r"no path was given.*nats_tss.*NATS-tss-v1_0-3ffb9-simple.*nasbench fetch nats_tss"
    ):
        create(None, "tss", verbose=False)
    with pytest.raises(ValueError, match=r"NATS-sss-v1_0-50262\.pickle\.pbz2"):
        create(None, "sss", verbose=False)
    with pytest.raises(LookupError, match="nasbench fetch nats_tss"):
        create("nats_tss", "tss", verbose=False)
    (tmp_path / "home").mkdir()
    in_home = tmp_path / "home" / "NATS-tss-v1_0-3ffb9.h5"
    in_home.symlink_to(table)
    assert create(None, "tss", verbose=False).filename == in_home.name
    (tmp_path / "cache" / "tables").mkdir(parents=True)
    (tmp_path / "cache" / "tables" / "nats_tss.h5").symlink_to(table)
    for path in (None, "nats_tss"):
        assert create(path, "tss", verbose=False)._archive.path.endswith("tables/nats_tss.h5")
    monkeypatch.chdir(table.parent)
    assert create(table.name, "tss", verbose=False)._archive.path == str(table)


def test_official_files_are_converted_once(raw, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "NATS-tss-v1_0-3ffb9-simple").symlink_to(raw["tss"])
    first = create(str(raw["tss"]), "tss", fast_mode=True, verbose=False)
    assert f"{raw['tss']}: seen for the first time" in capfd.readouterr().err
    assert first.archive_dir == str(raw["tss"])
    assert (first.filename, first.evaluated_indexes) == ("nats_tss", {0, 11, 284})
    for path in (raw["tss"], None, tmp_path / "NATS-tss-v1_0-3ffb9-simple"):
        again = create(path, "tss", fast_mode=True, verbose=False)
        assert again._archive.path == first._archive.path
    assert capfd.readouterr().err == ""
    first.reload(str(raw["tss"]), 11)
    with pytest.raises(ValueError, match="has 3 of 15625"):
        first.reload(index=5)


def test_the_single_official_file(raw, tmp_path, monkeypatch, tables):
    monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def content(name: str) -> Any:
        return pickle.loads(bz2.decompress((raw["sss"] / f"{name}.pickle.pbz2").read_bytes()))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the old names of numpy's modules in the real files
        everything = content("meta") | {"arch2infos": {i: content(f"{i:06d}") for i in (0, 284)}}
    ours.pickle_save(everything | {"evaluated_indexes": {0, 284}}, str(tmp_path / "NATS-sss-v1_0-50262.pickle"))
    api, expected = create(None, "sss", verbose=False, seed=0), create(tables["sss"], "sss", verbose=False, seed=0)
    assert api.evaluated_indexes == {0, 284}
    for index in (0, 284):
        assert api.get_more_info(index, "cifar10", hp="12") == expected.get_more_info(index, "cifar10", hp="12")
    assert pickle.loads(pickle.dumps(api)).random() == api.random()


def test_what_is_no_table_is_refused(tmp_path, table):
    def refused(path: Any, kind: type[Exception], message: str) -> None:
        with pytest.raises(kind, match=message):
            create(path, "tss", verbose=False)

    refused(
        {"meta_archs": [], "arch2infos": {}, "evaluated_indexes": set()}, ValueError, "a dictionary of results cannot"
    )
    refused(5, ValueError, r"file_path_or_dict \[<class 'int'>\] must be a path")
    refused(tmp_path / "none", ValueError, "is neither a file or a dir")
    refused(tmp_path / "none.h5", ValueError, "is neither a file or a dir")
    refused("none.h5", ValueError, "is neither a file or a dir")
    refused(tmp_path, ValueError, r"meta\.pickle\.pbz2: no such file")
    refused("nasbench201", ValueError, r"not a table of NATS-Bench.*nasbench convert nats-bench FOLDER")
    (tmp_path / "text.h5").write_text("text")
    refused(tmp_path / "text.h5", TableFileError, "not a readable HDF5 file")
    (tmp_path / "cut.h5").write_bytes(table.read_bytes()[:5000])
    refused(tmp_path / "cut.h5", TableFileError, "not a readable HDF5 file")


@pytest.mark.parametrize("seeds", [None, [], {}, {"x": [1]}, {"12": []}, {"12": ["a"]}, {"12": 5}, "text"])
def test_a_report_without_seeds_is_refused(tmp_path, seeds):
    write_table(tmp_path / "other.h5", rows=20, **{"seeds of the runs": seeds})
    with pytest.raises(ValueError, match="not a table of NATS-Bench"):
        create(tmp_path / "other.h5", "tss", verbose=False)


def test_a_report_with_other_seeds_is_refused(tmp_path):
    write_table(tmp_path / "other.h5", rows=20, **{"seeds of the runs": {"12": [1], "200": [1, 2, 3]}})
    api = create(tmp_path / "other.h5", "tss", verbose=False)
    with pytest.raises(TableFileError, match=r"2 runs, but the report names the seeds \[1\] of schedule 12"):
        api.get_more_info(0, "cifar10")


def test_a_table_in_another_order_is_read_by_official_indexes(tmp_path, api):
    from nasbench.tables import Column, DatasetContent, read_content, write

    content = read_content(api._archive.path)
    order = np.random.default_rng(5).permutation(15_625)[:500]

    def taken(columns: Any) -> dict[str, Column]:
        return {name: column._replace(values=column.values[order]) for name, column in columns.items()}

    datasets = {
        name: DatasetContent(taken(found.columns), {s: taken(c) for s, c in found.schedules.items()})
        for name, found in content.datasets.items()
    }
    write(tmp_path / "some.h5", content._replace(architectures=content.architectures[order], datasets=datasets))
    some = create(tmp_path / "some.h5", "tss", verbose=False)
    assert repr(some) == "NATStopology(500/15625 architectures, fast_mode=False, file=some.h5)"
    assert (some.evaluated_indexes, some.meta_archs) == (set(order.tolist()), api.meta_archs)
    assert answers(some, order[:20].tolist()) == answers(api, order[:20].tolist())
    means = {i: api.get_more_info(i, "cifar10-valid", is_random=False)["valid-accuracy"] for i in order.tolist()}
    best, accuracy = some.find_best("cifar10", "valid")
    assert means[best] == max(means.values()) == pytest.approx(accuracy)
    with pytest.raises(ValueError, match="has 500 of 15625 architectures"):
        some.find_best("cifar10", "valid", enforce_all=True)
    missing = next(i for i in range(15_625) if i not in means)
    for call in (
        some.get_more_info,
        some.get_cost_info,
        some.get_latency,
        some.query_by_index,
        some.simulate_train_eval,
    ):
        with pytest.raises(ValueError, match=rf"can not find architecture {missing}: .*some\.h5 has 500 of 15625"):
            call(missing, "cifar10")
    with pytest.warns(UserWarning, match=f"The {missing}-th architecture is not in the table"):
        some.clear_params(missing)


def test_the_digest_of_the_official_order():
    import hashlib

    from nasbench.compat.nats_bench import _archive

    assert hashlib.sha256(NB201().architectures.tobytes()).hexdigest() == _archive._OFFICIAL_ORDER
