"""The names, the signatures, how it is installed and run, where it finds its table, and what it refuses."""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _random_nats_table import answers, write_table

from nasbench.compat import nats_bench as ours
from nasbench.compat.nats_bench import NATSsize, NATStopology, create
from nasbench.errors import NasbenchError, UnsafeFileError
from nasbench.spaces.nb201 import NB201

MODULES = ("nats_bench", "nats_bench.api_topology", "nats_bench.api_size", "nats_bench.api_utils")
# Storage in a cloud, and what the authors made their files with.
NOT_HERE = {"get_file_system", "reset_file_system"}
BUILDING = {"update", "update_train_info", "update_eval", "update_OLD_eval", "update_latency", "reset_eval"}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("table") / "all.h5")


@pytest.fixture
def api(table: Path) -> NATStopology:
    found = create(table, "tss", verbose=False, seed=1)
    assert isinstance(found, NATStopology)
    return found


# Names and signatures.


def public(module: Any) -> dict[str, Any]:
    """What a module defines: not what it imports from its neighbours."""
    constants = {name: value for name, value in vars(module).items() if name.isupper() and name[0] != "_"}
    constants.pop("PICKLE_EXT", None)
    defined = {name: value for name, value in vars(module).items() if hasattr(value, "__module__")}
    own = {name: value for name, value in defined.items() if value.__module__ == module.__name__}
    return constants | {name: value for name, value in own.items() if not name.startswith("_")}


def accepts_the_same(found: Any, expected: Any, name: str) -> None:
    """The original's parameters come first, in its order and with its defaults; ours may have more by keyword."""
    theirs = list(inspect.signature(expected).parameters.values())
    mine = list(inspect.signature(found).parameters.values())
    # Its subclasses of what both spaces share leave some defaults out.
    for one, other in zip(mine, theirs, strict=False):
        assert one.name == other.name, name
        assert other.default is inspect.Parameter.empty or tuple_of(one.default) == tuple_of(other.default), name
    assert len(mine) >= len(theirs), name
    assert all(extra.kind is inspect.Parameter.KEYWORD_ONLY for extra in mine[len(theirs) :]), name


def test_names_of_the_package():
    nats_bench = pytest.importorskip("nats_bench", reason="the peer nats-bench is not installed")
    for name in ("api_size", "api_topology", "api_utils", "genotype_utils", *ours.__all__):
        assert (
            name == "install" or type(getattr(ours, name)) is type(getattr(nats_bench, name)) or name.startswith("NATS")
        )
    assert ours.NATS_BENCH_API_VERSIONs == nats_bench.NATS_BENCH_API_VERSIONs
    assert ours.NATS_BENCH_TSS_NAMEs == nats_bench.NATS_BENCH_TSS_NAMEs
    assert ours.NATS_BENCH_SSS_NAMEs == nats_bench.NATS_BENCH_SSS_NAMEs


def tuple_of(default: Any) -> Any:
    return tuple(default) if isinstance(default, list) else default


@pytest.mark.parametrize("name", [*MODULES, "nats_bench.genotype_utils"])
def test_every_public_name_and_its_parameters(name):
    pytest.importorskip("nats_bench", reason="the peer nats-bench is not installed")
    theirs, mine = importlib.import_module(name), importlib.import_module(f"nasbench.compat.{name}")
    for attribute, expected in public(theirs).items():
        if attribute in NOT_HERE:
            continue
        found = getattr(mine, attribute)
        if inspect.isclass(expected):
            accepts_the_same(found, expected, attribute)
            for method, raw in vars(expected).items():
                if not method.startswith("_") and method not in BUILDING:
                    both = getattr(found, method), getattr(expected, method)
                    assert isinstance(inspect.getattr_static(found, method), property) == isinstance(raw, property)
                    if callable(both[1]):
                        accepts_the_same(*both, f"{attribute}.{method}")
        elif callable(expected):
            accepts_the_same(found, expected, attribute)
        else:
            assert found == expected, attribute


def test_search_spaces_by_all_their_names(table):
    for name in ("tss", "topology"):
        assert type(create(table, name, verbose=False)) is NATStopology
    for name in ("nb201", "", None, 5):
        with pytest.raises(ValueError, match="invalid search space"):
            create(table, name)
    for name in ("sss", "size"):
        with pytest.raises(ValueError, match=r"a table of nb201.*'sss' or 'size' is nats_sss"):
            create(table, name)
    with pytest.raises(ValueError, match="nats_sss"):
        NATSsize(table, verbose=False)


def test_what_is_printed(table, capsys):
    create(table, "tss", True)
    assert capsys.readouterr().out.endswith("NATStopology(15625/15625 architectures, fast_mode=True, file=all.h5)\n")
    create(table, "tss", verbose=False)
    assert capsys.readouterr() == ("", "")


# Installing it, and running scripts.


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what is imported under the names of the originals, for one test."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("nats_bench", "nas_201_api"):
            monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("modules")
def test_installed_where_no_original_is(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "modules", dict(sys.modules))
        ours.install()
        ours.install()  # once more does no harm
        import nats_bench
        from nas_201_api import NASBench201API
        from nats_bench.api_size import NATSsize as Size
        from nats_bench.api_topology import NATStopology as Topology
        from nats_bench.api_utils import ArchResults, ResultsCount, pickle_load
        from nats_bench.genotype_utils import topology_str2structure

        assert nats_bench is ours
        assert (Size, Topology) == (NATSsize, NATStopology)
        assert issubclass(NASBench201API, NATStopology)
        assert pickle_load is ours.pickle_load
        assert topology_str2structure("|a~0|").tostr() == "|a~0|"
        assert {ArchResults, ResultsCount} == {ours.ArchResults, ours.ResultsCount}


@pytest.mark.usefixtures("modules")
def test_refused_where_an_original_is_installed(monkeypatch):
    before = dict(sys.modules)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "nats_bench" else None)
    with pytest.raises(
        ImportError, match=r"the real nats_bench is installed.*pip uninstall nats-bench.*force=True"
    ) as e:
        ours.install()
    assert isinstance(e.value, NasbenchError)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "nas_201_api" else None)
    with pytest.raises(ImportError, match="the real nas_201_api is installed"):
        ours.install()
    assert sys.modules == before


@pytest.mark.usefixtures("modules")
def test_refused_where_an_original_is_imported(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "nats_bench", sys)
    with pytest.raises(ImportError, match="the real nats_bench"):
        ours.install()
    assert sys.modules["nats_bench"] is sys
    with monkeypatch.context() as patch:
        patch.setattr(sys, "modules", dict(sys.modules))
        ours.install(force=True)
        assert sys.modules["nats_bench"] is ours


def run(*command: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", *command], capture_output=True, text=True, **keywords)


def test_scripts_run_as_they_are(tmp_path, table):
    (tmp_path / "beside.py").write_text("value = 42\n")
    (tmp_path / "script.py").write_text(
        "import sys, beside, nats_bench\n"
        "from nats_bench.api_topology import NATStopology\n"
        "from nas_201_api import NASBench201API as API\n"
        "from nasbench import load\n"
        "def main():\n"
        "    api = nats_bench.create(sys.argv[1], 'tss', fast_mode=True, verbose=False)\n"
        "    assert isinstance(api, NATStopology) and len(API(sys.argv[1], verbose=False)) == len(api)\n"
        "    print(nats_bench.__name__, __name__, __file__, sys.argv[1:], beside.value, len(api))\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    done = run("-m", "nasbench.compat", "script.py", str(table), "--more", cwd=tmp_path)
    assert done.stderr == ""
    arguments = [str(table), "--more"]
    assert done.stdout == f"nasbench.compat.nats_bench __main__ script.py {arguments} 42 15625\n"


def test_the_runner_needs_a_script(tmp_path):
    assert "usage: python -m nasbench.compat SCRIPT.py" in run("-m", "nasbench.compat").stderr
    done = run("-m", "nasbench.compat", str(tmp_path / "none.py"))
    assert done.returncode == 1
    assert "none.py: no such file." in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_heavy_is_imported(table):
    heavy = ["scipy", "sklearn", "torch", "matplotlib", "rich", "joblib", "pooch", "requests"]
    code = (
        "import sys; from nasbench.compat import nats_bench as n; "
        f"n.create({str(table)!r}, 'tss', verbose=False).get_more_info(0, 'cifar10'); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = run("-c", code)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


# Random numbers.


def test_an_object_has_its_own_random_numbers(table):
    def play(api: Any) -> list[Any]:
        return [(api.random(), api.get_more_info(5, "cifar10", hp="200")["test-accuracy"]) for _ in range(30)]

    state = random.getstate()
    one, other = (create(table, "tss", verbose=False, seed=3) for _ in range(2))
    mixed = [play(one)[:0], play(create(table, "tss", verbose=False, seed=4))]
    assert mixed
    again = create(table, "tss", verbose=False, seed=3)
    assert play(other) == play(again)
    assert len({accuracy for _, accuracy in play(again)}) > 1
    assert random.getstate() == state


def test_a_script_that_seeds_gets_the_same_again(table):
    code = (
        "import random; random.seed(7); from nasbench.compat import nats_bench; "
        f"api = nats_bench.create({str(table)!r}, 'tss', verbose=False); "
        f"other = nats_bench.create({str(table)!r}, 'tss', verbose=False); "
        "print([api.random() for _ in range(5)], [other.random() for _ in range(5)])"
    )
    found = [run("-c", code).stdout for _ in range(2)]
    assert found[0] == found[1]
    first, second = found[0].strip()[1:-1].split("] [")
    assert first != second
    assert run("-c", code.replace("seed(7)", "seed(8)")).stdout != found[0]


def test_random_is_uniform_over_the_space(api):
    drawn = np.array([api.random() for _ in range(20_000)])
    assert (drawn.min() >= 0, drawn.max() < 15_625) == (True, True)
    assert abs(drawn.mean() / 15_624 - 0.5) < 4 * 0.2887 / 20_000**0.5


def test_a_random_seed_is_uniform_over_the_runs(api):
    accuracies = [api.get_more_info(5, "cifar10", hp="200")["test-accuracy"] for _ in range(6000)]
    values, counts = np.unique(accuracies, return_counts=True)
    assert len(values) == len(api.query_by_index(5, "cifar10", hp="200"))
    assert (abs(counts - 6000 / len(values)) < 4 * (6000 / len(values)) ** 0.5).all()


# Pickling, processes and threads.


def test_pickling_keeps_path_clock_and_random_numbers(api):
    api.simulate_train_eval(3, "cifar10")
    api.get_more_info(api[4], "cifar10")
    data = pickle.dumps(api)
    assert len(data) < 10_000
    other = pickle.loads(data)
    assert other.used_time == api.used_time > 0
    assert repr(other) == repr(api)
    assert [other.random() for _ in range(10)] == [api.random() for _ in range(10)]
    assert answers(other, [0, 9, 15_624]) == answers(api, [0, 9, 15_624])
    results = api.query_meta_info_by_index(3, "200")
    copied = pickle.loads(pickle.dumps(results))
    assert copied.get_metrics("cifar10", "ori-test") == results.get_metrics("cifar10", "ori-test")


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_processes_share_it(api, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    expected = [api.find_best("cifar10", "valid"), api.get_cost_info(5, "cifar10"), api.statistics("cifar10", "200")]
    with multiprocessing.get_context(method).Pool(2) as pool:
        calls = [
            pool.apply_async(api.find_best, ("cifar10", "valid")),
            pool.apply_async(api.get_cost_info, (5, "cifar10")),
            pool.apply_async(api.statistics, ("cifar10", "200")),
        ]
        assert [call.get(60) for call in calls] == expected


def test_threads_share_it(table, api):
    indexes = list(range(0, 15_625, 250))
    expected = answers(api, indexes)
    fresh = create(table, "tss", verbose=False)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: answers(fresh, [index])[0], indexes))
    assert found == expected


# What the original gets wrong, or leaves to chance.


def test_find_best_is_the_lowest_index_of_the_best(api):
    for dataset, name, key in (
        ("cifar10", "valid", "valid"),
        ("cifar10", "test", "test"),
        ("cifar100", "test", "test"),
    ):
        trained = "cifar10-valid" if (dataset, name) == ("cifar10", "valid") else dataset
        means = [api.get_more_info(i, trained, None, 200, False)[f"{key}-accuracy"] for i in range(15_625)]
        best = int(np.argmax(means))
        assert api.find_best(dataset, name, hp=200) == (best, pytest.approx(means[best], rel=1e-12))
    costs = NB201().flops_many(NB201().architectures) / 1e6
    limited = [
        mean if cost <= 40 else -1
        for mean, cost in zip(means, NB201().flops_many(NB201().architectures, dataset="cifar100") / 1e6, strict=True)
    ]
    assert api.find_best("cifar100", "test", flop_max=40, hp="200")[0] == int(np.argmax(limited))
    assert api.find_best("cifar10", "valid", flop_max=costs.min() - 1e-9) == (-1, None)
    assert api.find_best("cifar10", "valid", enforce_all=True)[0] >= 0


def test_runs_that_are_missing_are_not_counted(api):
    found = api.statistics("cifar10", 200)
    assert set(found) == {2, 3}
    assert sum(found.values()) == 15_625
    index = next(i for i in range(15_625) if len(api.query_by_index(i, "cifar10", "200")) == 2)
    assert api.query_meta_info_by_index(index, "200").get_dataset_seeds("cifar10") == [777, 888]
    with pytest.raises(ValueError, match=r"can not find random seed \(999\) from \[777, 888\]"):
        api.get_more_info(index, "cifar10", hp="200", is_random=999)


def test_errors_say_what_there_is(api):
    with pytest.raises(KeyError) as error:
        api.get_more_info(0, "cifar-10")
    assert str(error.value).startswith("'cifar-10': no such data set in ")
    for unknown in (["cifar10"], {}, None, 5):
        with pytest.raises(KeyError, match="no such data set"):
            api.get_more_info(0, unknown)
    with pytest.raises(KeyError, match=r"'13': no such hp in .*: it has \['12', '200'\]"):
        api.get_more_info(0, "cifar10", hp=13)
    with pytest.raises(ValueError, match=r"x-valid@199: no such set of cifar10: it has train, ori-test"):
        api.find_best("cifar10", "x-valid", hp="200")
    with pytest.raises(ValueError, match=r"Invalid dataset name : x vs \('cifar10', 'cifar100', 'ImageNet16-120'\)"):
        api.simulate_train_eval(0, "x")
    with pytest.raises(ValueError, match="no architecture of this search space"):
        api.get_unique_str("foo")  # the original answers for the last architecture
    for text in ("foo", "|a~0", "|a~0|+|b~2|", "", None):
        with pytest.raises(ValueError, match="no cell"):
            api.str2lists(text)
    with pytest.raises(ValueError, match="not in list"):
        api.str2matrix("|x~0|")


def test_epochs_that_the_table_lacks_are_left_out(api):
    assert set(api.get_more_info(0, "cifar100", iepoch=3)) == set()
    with pytest.raises(ValueError, match="no validation on cifar100 with hp 12, iepoch 3"):
        api.simulate_train_eval(0, "cifar100", iepoch=3)
    with pytest.raises(KeyError, match="x-valid@3: cifar100 was not evaluated on x-valid after that epoch"):
        api.query_meta_info_by_index(0).get_metrics("cifar100", "valid", 3)


def test_all_architectures_are_shown(raw, tables, capsys):
    create(tables["tss"], "tss", verbose=False).show()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "NATStopology(3/15625 architectures, fast_mode=False, file=tss.h5)"
    assert sum("-th architecture!" in line for line in lines) == 3


def test_attributes_that_scripts_set(api):
    api.reset_archive_dir("somewhere")
    api.reset_fast_mode(True)
    assert (api.archive_dir, api.fast_mode) == ("somewhere", True)
    api.simulate_train_eval(0, "cifar10")
    api.reset_time()
    assert api.used_time == 0
    api.reload()
    assert api.get_more_info(0, "cifar10")


def test_all_cells_of_three_nodes():
    from nasbench.compat.nats_bench.genotype_utils import TopologyStructure

    cells = TopologyStructure.gen_all(["none", "skip_connect"], 3, False)
    assert len({cell.tostr() for cell in cells}) == len(cells) == 2**3
    assert [cell.nodes for cell in cells] == TopologyStructure.gen_all(["none", "skip_connect"], 3, True)
    assert sum(cell.check_valid() for cell in cells) == 5  # the edge from input to output, or both others


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    class Attack:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    ours.pickle_save(Attack(), str(tmp_path / "attack.pickle"))
    with pytest.raises(UnsafeFileError, match=r"attack\.pickle\.pbz2: refused"):
        ours.pickle_load(str(tmp_path / "attack.pickle"))
    with pytest.raises(UnsafeFileError):
        ours.ArchResults.create_from_state_dict(str(tmp_path / "attack.pickle"))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(NasbenchError, match=r"none: no such file, nor .*none\.pbz2"):
        ours.pickle_load(str(tmp_path / "none"))
    (tmp_path / "text.pbz2").write_text("text")
    with pytest.raises(NasbenchError, match="not a complete pickle"):
        ours.pickle_load(str(tmp_path / "text"))
