"""Files of every version of every format are read for ever: they stay as they were written; their values stand here."""

from __future__ import annotations

import math
from pathlib import Path

from nasbench import Fidelity, Table
from nasbench.search.history import History, load_histories

HERE = Path(__file__).parent


def test_histories_of_version_1_are_of_one_worker_and_accuracy_alone() -> None:
    first, second = load_histories(HERE / "histories_1.h5")
    assert first.architectures.tolist() == [[2, 1, 4, 4, 3, 1], [0, 3, 2, 2, 0, 3], [3, 4, 3, 4, 1, 4]]
    assert first.runs.tolist() == [2, 0, 2]
    assert first.validation_accuracy.tolist() == [21522 / 25000, 22498 / 25000, 21211 / 25000]
    assert second.seconds.tolist() == [1671.8125979105591, 1547.628883520759, 1600.8302807807922]
    assert second.starts.tolist() == [0.0, 1671.8125979105591, 1671.8125979105591 + 1547.628883520759]
    assert second.trainings.tolist() == [-1, -1, -1]
    assert second.workers.tolist() == [0, 0, 0]
    assert second.values.tolist() == [[19427 / 25000], [21165 / 25000], [21386 / 25000]]
    assert first.header["searcher"] == "baselines.random_search:RandomSearch"


def test_histories_of_version_2_have_trainings_workers_times_and_objectives() -> None:
    history = History.load(HERE / "histories_2.h5")
    assert history.trainings.tolist() == [0, 1, 0, 1]
    assert history.workers.tolist() == [0, 1, 1, 0]
    assert history.starts.tolist() == [0.0, 0.0, 4.803080933001183, 4.803080933001183]
    assert history.ends.tolist() == [1.0308184499990602, 4.803080933001183, 7.958998139001778, 17.480290512001375]
    assert history.epochs.tolist() == [1, 1, 4, 4]
    assert history.header["values"] == ["validation_accuracy", "parameters"]
    assert history.values.tolist() == [[0.329, 58106.0], [0.2815, 45818.0], [0.426, 58106.0], [0.4085, 45818.0]]


def test_tables_of_version_1() -> None:
    table = Table(HERE / "table_1.h5")
    assert table.verify() == 3
    assert table.fidelities == (Fidelity(50, 50),)
    assert table.query(table.at_row(0)).validation_accuracy == 0.605
    assert table.query(table.at_row(1), run=0).validation_accuracy == 0.7
    assert math.isnan(table.column("validation_accuracy", run=1)[1]), "a run that was never made"
    assert table.query(table.at_row(2), run=1).validation_accuracy == 0.8001
    assert table.column("training_time").tolist() == [10.5, 20.25, 30.0]
