"""A surrogate in a table's place: what it predicts, how its runs vary, and that it says what it is."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _curve_table import DEVIATION, EPOCHS, curve, seconds_an_epoch, validation, write_curves
from scipy.stats import kendalltau

import nasbench
from nasbench import registry
from nasbench.cli import main
from nasbench.errors import InvalidArchitectureError, NotRecordedError, UnknownNameError
from nasbench.search.history import History, load_histories
from nasbench.spaces.nb_macro import NBMacro
from nasbench.testing import BenchmarkContract
from nasbench.types import Fidelity
from surrogates.benchmark import saved
from surrogates.benchmark.fitting import fit
from surrogates.benchmark.queries import SurrogateBenchmark
from surrogates.benchmark.surrogate import Fitted
from surrogates.evaluation.harness import make

SPACE = NBMacro()
OTHERS = SPACE.decode(np.arange(7, SPACE.size, 11))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_curves(tmp_path_factory.mktemp("table") / "curves.h5")


@pytest.fixture(scope="module")
def fitted(path: Path) -> Fitted:
    return fit(nasbench.load(path), train_size=200, seeds=2)


@pytest.fixture(scope="module")
def folder(path: Path, fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("surrogate") / "of_curves"
    saved.save(folder, fitted, nasbench.load(path))
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> SurrogateBenchmark:
    return nasbench.load(f"surrogate:{folder}")


class TestSurrogateBenchmark(BenchmarkContract):
    pass


def test_predictions_are_what_the_model_predicts(path: Path, fitted: Fitted, results: SurrogateBenchmark):
    table = nasbench.load(path)
    model = make("default", "nb_macro", 0, 200)
    model.fit(table.architectures[fitted.rows], table.column("validation_accuracy")[fitted.rows])
    np.testing.assert_array_equal(results.predictions(OTHERS), model.predict(OTHERS))
    np.testing.assert_allclose(
        results.predictions(OTHERS, "test_accuracy"), results.predictions(OTHERS) - 0.02, atol=0.001
    )


def test_the_mean_is_one_value_that_might_be_true(path: Path, fitted: Fitted, results: SurrogateBenchmark):
    """It lies as far from the prediction as the truth does, which this table knows; noise of labels is left out."""
    known = nasbench.load(path).architectures[fitted.rows]
    everything = SPACE.decode(np.arange(SPACE.size))
    keys = SPACE.key_many(everything)
    unseen = everything[~np.isin(keys, SPACE.key_many(known))]
    predicted, truth = results.predictions(unseen), validation(unseen, 10)
    drawn = results.means(unseen) - predicted
    assert drawn.std() == pytest.approx((truth - predicted).std(), rel=0.3)
    assert abs(drawn.mean()) < drawn.std() / 3
    np.testing.assert_allclose(results.means(known), results.predictions(known), rtol=1e-6)
    assert results.query(tuple(unseen[3].tolist())).validation_accuracy == results.means(unseen)[3]
    assert results.best() == results.means(everything).max()


def test_one_network_has_one_residual_by_whatever_choices(results: SurrogateBenchmark):
    everything = SPACE.decode(np.arange(SPACE.size))
    _, first, place = np.unique(SPACE.key_many(everything), return_index=True, return_inverse=True)
    means = results.means(everything)
    assert len(first) == 3969  # networks, published; 6,561 are texts
    np.testing.assert_allclose(means, means[first][place], rtol=1e-5)  # the model's last bits


def test_curves_follow_the_law_and_end_where_the_model_says(results: SurrogateBenchmark):
    curves = [results.curve(tuple(row.tolist())) for row in OTHERS]
    assert {curve.epochs for curve in curves} == {EPOCHS}
    found = np.array([curve.values for curve in curves])
    truth = np.stack([validation(OTHERS, epoch) for epoch in EPOCHS], axis=1)
    assert np.abs(found - truth).mean() < 0.007  # accuracies lie between 0.4 and 0.84
    np.testing.assert_array_equal(found[:, -1], results.means(OTHERS))
    # How far a network is from its end after one epoch: large ones learn more slowly, whatever noise there was.
    assert np.corrcoef(found[:, -1] - found[:, 0], curve(OTHERS, 1))[0, 1] > 0.9
    np.testing.assert_allclose(results.means(OTHERS, "test_accuracy"), found[:, -1] - 0.02, atol=0.001)


def test_training_time_is_predicted(results: SurrogateBenchmark):
    times = [results.query(tuple(row.tolist()), epoch=5).training_time for row in OTHERS]
    truth = 5 * seconds_an_epoch(OTHERS)
    assert np.median(np.abs(np.array(times) / truth - 1)) < 0.02
    assert kendalltau(times, truth).statistic > 0.95


def test_a_run_varies_as_runs_of_the_table_do(results: SurrogateBenchmark):
    first, last = [], []
    for row in OTHERS[::30]:
        architecture = tuple(row.tolist())
        mean = [results.query(architecture, epoch=epoch).validation_accuracy for epoch in (1, 10)]
        for run in results.runs(architecture)[:50]:
            drawn = [results.query(architecture, epoch=epoch, run=run).validation_accuracy for epoch in (1, 10)]
            first.append(drawn[0] - mean[0])
            last.append(drawn[1] - mean[1])
    assert np.std(last) == pytest.approx(DEVIATION, rel=0.1)
    assert np.mean(last) == pytest.approx(0, abs=DEVIATION / 10)
    assert np.std(first) == pytest.approx(10 * DEVIATION, rel=0.1)
    assert np.corrcoef(first, last)[0, 1] > 0.99  # in this table a good start is a good end


def test_means_of_some_runs_are_means_of_these_runs(results: SurrogateBenchmark):
    few = OTHERS[:3]
    each = [[results.query(tuple(row), run=run).test_accuracy for run in (4, 9)] for row in few.tolist()]
    found = results.means(few, "test_accuracy", runs=[(4, 9), (4, 9), ()])
    np.testing.assert_allclose(found[:2], np.mean(each[:2], axis=1))
    assert np.isnan(found[2])


def test_a_run_is_the_same_in_another_process_and_another_for_another_architecture(
    folder: Path, results: SurrogateBenchmark
):
    one, other = tuple(OTHERS[0].tolist()), tuple(OTHERS[1].tolist())
    code = (
        f"import nasbench; b = nasbench.load('surrogate:{folder}'); print([b.query({one}, run=r).validation_accuracy "
        "for r in range(8)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    drawn = [results.query(one, run=run).validation_accuracy for run in range(8)]
    assert json.loads(done.stdout) == drawn
    mean, others = results.query(one).validation_accuracy, results.query(other).validation_accuracy
    assert len(set(drawn)) > 4
    assert [a - mean for a in drawn] != pytest.approx(
        [results.query(other, run=run).validation_accuracy - others for run in range(8)]
    )


def test_every_answer_says_that_it_is_predicted(results: SurrogateBenchmark, tmp_path: Path):
    assert results.origin == "predicted"
    assert results.query(tuple(OTHERS[0].tolist()), run=3).origin == "predicted"
    assert nasbench.load("nasbench201").query(0).origin == "recorded"
    search = registry.find("searchers", "random_search")(SPACE, seed=0)
    history = nasbench.run(search, results, nasbench.Budget(20), seed=1)
    assert history.header["benchmark"]["origin"] == "predicted"
    assert history.header["benchmark"]["digest"] == results.digest


def test_counts_come_from_the_formulas_where_the_table_has_them(results: SurrogateBenchmark):
    metrics = results.query("01201201")
    assert metrics.parameters == SPACE.parameters((0, 1, 2, 0, 1, 2, 0, 1))
    assert metrics.flops is None  # the table has none
    assert np.isnan(metrics.latency)


def test_compare_on_a_surrogate_says_so_and_does_not_depend_on_workers(folder: Path, tmp_path: Path):
    found = []
    for workers in ("1", "2"):  # in processes of their own: workers stay in the folder in which they were started
        out = tmp_path / workers
        command = [sys.executable, "-m", "nasbench.cli", "compare", "random_search", "local_search", "--runs", "30"]
        command += ["--table", f"surrogate:{folder}", "--budget", "30", "--processes", workers, "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "PREDICTED by a surrogate" in " ".join(done.stdout.split())
        summary = json.loads((out / "summary.json").read_text())
        assert summary["benchmark"]["origin"] == "predicted"
        assert summary["random_search_law"] is None
        found.append(load_histories(out / "histories" / "local_search.h5"))
    assert found[0] == found[1]


def test_the_command_line_answers_from_it(folder: Path, results: SurrogateBenchmark, capsys):
    assert main(["query", "01201201", "--table", f"surrogate:{folder}"]) == 0
    out = capsys.readouterr().out
    assert f"validation_accuracy: {results.query('01201201').validation_accuracy}" in out
    assert "origin: predicted" in out
    assert main(["check", f"surrogate:{folder}"]) == 0
    assert results.digest in capsys.readouterr().out


def test_what_it_does_not_know_is_told(folder: Path, results: SurrogateBenchmark):
    with pytest.raises(InvalidArchitectureError, match="eight digits"):
        results.query("0123")
    with pytest.raises(InvalidArchitectureError, match="nb_macro"):
        results.query((3,) * 8)
    with pytest.raises(NotRecordedError, match="schedule 10: 3 epochs; not schedule 10, epoch 7"):
        results.query("01201201", epoch=7)
    with pytest.raises(NotRecordedError, match="1,000 runs"):
        results.query("01201201", run=1000)
    with pytest.raises(NotRecordedError, match="training_time"):
        results.means(OTHERS, "train_accuracy")
    with pytest.raises(UnknownNameError, match="cifar100"):
        nasbench.load(f"surrogate:{folder}", "cifar100")


def test_it_is_pickled_by_its_folder(results: SurrogateBenchmark):
    again = pickle.loads(pickle.dumps(results))
    assert again.digest == results.digest
    assert again.query("01201201") == results.query("01201201")


def test_a_space_too_large_to_predict_has_no_known_best():
    assert NBMacro().size < 2**16  # these are predicted whole; of others the report takes the best that was found
    from nasbench.analysis import best_known

    class Unknown:
        digest, dataset, origin, space = "unknown", "none", "predicted", NBMacro()
        fidelities = (Fidelity(50, 50),)

        def best(self, metric):
            return None

        def runs(self, architecture):
            return range(1000)

        def means(self, architectures, metric):
            return np.asarray(architectures, np.float64).sum(axis=1)

    searched = History(
        {"benchmark": {"digest": "unknown"}},
        np.array([[0] * 8, [2] * 8, [1] * 8], np.uint8),
        np.full(3, 50, np.int32),
        np.full(3, 50, np.int32),
        np.zeros(3, np.int32),
        np.array([0.5, 0.4, 0.6]),  # the second was never the incumbent
        *np.ones((3, 3)),
    )
    assert best_known([searched], Unknown()) == 8  # type: ignore[arg-type]


def test_a_table_with_one_run_gives_no_noise(tmp_path: Path):
    table = nasbench.load(write_curves(tmp_path / "one.h5", runs=1))
    saved.save(tmp_path / "s", fit(table, model="ridge", train_size=100, seeds=1), table)
    benchmark = nasbench.load(f"surrogate:{tmp_path / 's'}")
    assert list(benchmark.runs("01201201")) == [0]
    mean, one = benchmark.query("01201201"), benchmark.query("01201201", run=0)
    assert mean._replace(run=0) == pytest.approx(one, nan_ok=True) or mean._replace(run=0)[:3] == one[:3]
