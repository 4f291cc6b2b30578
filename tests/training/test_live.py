"""A benchmark that trains when asked, and never twice."""

from __future__ import annotations

import pickle
import sys
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from _campaigns import SCRATCH, SPACE, instant, slow
from _small import digits

from nasbench import Budget, run
from nasbench.errors import CampaignError, NotRecordedError, UnknownNameError
from nasbench.testing import BenchmarkContract
from nasbench.training.campaign.campaign import sample
from nasbench.training.live import LiveBenchmark
from nasbench.types import Architecture


def live(journal: Path, **other: object) -> LiveBenchmark:
    arguments = {"recipe": "conv5", "epochs": 2, "seeds": 2, "journal": journal, "train_one": instant, **other}
    return LiveBenchmark("conv5", digits(256), **arguments)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> LiveBenchmark:
    journal = tmp_path_factory.mktemp("live") / "journal.db"
    return LiveBenchmark("conv5", digits(256), recipe="conv5", epochs=2, seeds=2, journal=journal)


class TestContract(BenchmarkContract):
    """Real trainings."""

    @pytest.fixture
    def results(self, real: LiveBenchmark) -> LiveBenchmark:
        return real

    @pytest.fixture
    def architectures(self, results: LiveBenchmark) -> list[Architecture]:
        return sample(results.space, 3, 0)


def test_trains_once_for_all_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "traces").mkdir()
    monkeypatch.setenv(SCRATCH, str(tmp_path / "traces"))
    benchmark = live(tmp_path / "journal.db")
    [one] = sample(SPACE, 1, 0)
    copy = pickle.loads(pickle.dumps(benchmark))
    answer = benchmark.query(one, run=1)
    assert len(list((tmp_path / "traces").iterdir())) == 1
    assert answer.validation_accuracy == (4 + 1) / 300
    assert answer.origin == "trained"
    mean = copy.query(one)
    assert mean.validation_accuracy == float(Fraction(4 + 5, 600))
    assert len(list((tmp_path / "traces").iterdir())) == 2
    assert mean.flops == SPACE.flops_many([one], side=8)[0]
    assert benchmark.query(one) == mean or np.isnan(mean.latency)
    assert benchmark.query(one)[:4] == mean[:4]
    assert len(list((tmp_path / "traces").iterdir())) == 2


def test_whoever_wrote_first_answers_all(tmp_path: Path):
    benchmark, other = live(tmp_path / "journal.db"), live(tmp_path / "journal.db")
    [one] = sample(SPACE, 1, 0)

    def overtaken(job: object, task: object) -> object:
        other.query(one, run=0)  # while we train, another process does
        return instant(job, task)._replace(training_seconds=np.array([8.0, 9.0]))

    benchmark._train_one = overtaken
    assert benchmark.query(one, run=0).training_time == other.query(one, run=0).training_time == 0.2


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such locks")
def test_two_processes_that_ask_at_once_train_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "traces").mkdir()
    monkeypatch.setenv(SCRATCH, str(tmp_path / "traces"))
    [one] = sample(SPACE, 1, 0)
    benchmark = live(tmp_path / "journal.db", train_one=slow)
    workers = [get_context("fork").Process(target=benchmark.query, args=(one,), kwargs={"run": 0}) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(list((tmp_path / "traces").iterdir())) == 1


def test_means_train_nothing(tmp_path: Path):
    benchmark = live(tmp_path / "journal.db")
    first, second, third = sample(SPACE, 3, 0)
    benchmark.query(first)
    benchmark.query(second, run=0)
    means = benchmark.means(np.array([third, first, second]))
    assert np.array_equal(means, [np.nan, 9 / 600, 4 / 300], equal_nan=True)  # of what there is, as in a table
    assert benchmark.means([first], "test_accuracy").tolist() == [(2 + sum(first)) / 297]
    assert benchmark.best() is None
    assert len(benchmark.journal.trained(benchmark._setting)) == 3
    with pytest.raises(NotRecordedError, match="latency"):
        benchmark.means([first], "latency")


def test_a_search_trains(tmp_path: Path):
    from baselines.random_search import RandomSearch

    benchmark = live(tmp_path / "journal.db")
    history = run(RandomSearch(SPACE, seed=0), benchmark, Budget(6), seed=0)
    assert len(history.validation_accuracy) == 6
    assert len(benchmark.journal.trained(benchmark._setting)) == 6


def test_the_digest_is_that_of_the_settings(tmp_path: Path):
    one = live(tmp_path / "a.db")
    assert live(tmp_path / "b.db").digest == one.digest
    others = [live(tmp_path / "a.db", **{name: 3}).digest for name in ("epochs", "seeds")]
    assert len({one.digest, *others}) == 3


def test_refuses_what_is_no_setting(tmp_path: Path):
    with pytest.raises(UnknownNameError, match="conv5"):
        live(tmp_path / "j.db", recipe="conv6")
    with pytest.raises(CampaignError, match="0"):
        live(tmp_path / "j.db", epochs=0)
    assert not (tmp_path / "j.db").exists()
