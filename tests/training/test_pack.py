"""A table of trainings: every number in its place, what is missing missing, and its origin written down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from _campaigns import SPACE, job, result

from nasbench import load
from nasbench.errors import JournalError
from nasbench.tables import write
from nasbench.tables.table import Table
from nasbench.testing import TableContract
from nasbench.training.campaign.campaign import Task, sample
from nasbench.training.campaign.journal import Journal, Setting
from nasbench.training.campaign.pack import pack, table_name

JOB = job()
SETTING = Setting.of(JOB.space, JOB.recipe, JOB.images, JOB.epochs)
ARCHITECTURES = sample(SPACE, 4, 0)


def add(journal: Journal, architecture: tuple[int, ...], seed: int, epochs: int = 2) -> None:
    training = result(Task(architecture, seed), epochs)
    journal.add(SPACE, architecture, JOB.recipe, JOB.images, epochs=epochs, seed=seed, training=training)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "journal.db")
    for architecture in ARCHITECTURES:
        for seed in (7, 3):
            if (architecture, seed) != (ARCHITECTURES[0], 3):
                add(journal, architecture, seed)
    add(journal, ARCHITECTURES[1], 3, epochs=4)
    return journal


@pytest.fixture
def table(journal: Journal, tmp_path: Path) -> Table:
    write(tmp_path / "table.h5", pack(journal, dataset="digits"))
    return load(tmp_path / "table.h5")


class TestContract(TableContract):
    pass


def test_every_number_is_in_its_place(table: Table):
    assert table.datasets == ("digits",)
    assert len(table) == 4
    assert {fidelity.schedule for fidelity in table.fidelities} == {2, 4}
    for architecture in ARCHITECTURES[1:]:
        assert list(table.runs(architecture, schedule=2)) == [0, 1]
        for run, seed in enumerate((3, 7)):
            for epoch in (1, 2):
                answer = table.query(architecture, schedule=2, epoch=epoch, run=run)
                assert answer.validation_accuracy == (2 * epoch + seed) / 300
                assert answer.test_accuracy == (epoch + sum(architecture)) / 297
                assert answer.train_accuracy == epoch / 256
                assert answer.training_time == np.float64(epoch) * 0.1
                assert answer.parameters == SPACE.parameters(architecture)
                assert answer.flops == SPACE.flops_many([architecture], side=8)[0] < SPACE.flops(architecture)
    assert list(table.runs(ARCHITECTURES[0], schedule=2)) == [1]
    assert [list(table.runs(architecture, schedule=4)) for architecture in ARCHITECTURES] == [[], [0], [], []]


def test_only_what_was_asked_for(journal: Journal):
    identity = SPACE.identity(ARCHITECTURES[2])
    content = pack(journal, [SETTING], only={(identity, 7)})
    assert content.architectures.tolist() == [list(ARCHITECTURES[2])]
    assert content.report["seeds, by run"] == [7]
    assert content.report["missing runs"] == 0
    with pytest.raises(JournalError, match="no such training"):
        pack(journal, [SETTING], only={(identity, 5)})


def test_says_where_it_comes_from(table: Table, journal: Journal):
    assert "measured by this code, on this data" in table.source["name"]
    assert JOB.images.digest in table.source["sha256"]
    assert table.report["seeds, by run"] == [3, 7]
    assert table.report["trainings"] == {"2": 7, "4": 1}
    assert table.report["missing runs"] == 1 + 7
    assert "learning_rate 0.1" in table.report["recipe in words"]
    assert {"torch", "numpy", "machine"} <= set(table.report["made with"])
    info = table.describe()["validation_accuracy@2"]
    assert (info.images, info.unit) == (300, "images")
    assert info.evaluated_on.startswith("300 images, split validation of black images")
    assert info.trained_on.startswith("256 images, split train of black images")
    assert "flipped and cropped" in table.describe()["train_accuracy@2"].evaluated_on
    assert table_name(journal.settings()) == f"conv5-by-conv5-2-4epochs-on-{JOB.images.digest[:8]}"


def test_the_order_of_training_does_not_matter(tmp_path: Path):
    tables = []
    for name, order in (("one", 1), ("two", -1)):
        journal = Journal(tmp_path / f"{name}.db")
        for architecture in ARCHITECTURES[::order]:
            add(journal, architecture, 0)
        content = pack(journal)
        tables.append((content.architectures.tolist(), content.datasets["images"].schedules[2]["test_accuracy"].values))
    assert tables[0][0] == tables[1][0]
    assert np.array_equal(tables[0][1], tables[1][1])


def test_refuses_what_makes_no_table(tmp_path: Path, journal: Journal):
    with pytest.raises(JournalError, match="nothing to make a table of"):
        pack(Journal(tmp_path / "absent.db"))
    with pytest.raises(JournalError, match="nothing to make a table of"):
        pack(journal, [SETTING._replace(epochs=9)])
    other = JOB.recipe._replace(name="other")
    journal.add(
        SPACE, ARCHITECTURES[0], other, JOB.images, epochs=2, seed=0, training=result(Task(ARCHITECTURES[0], 0))
    )
    with pytest.raises(JournalError, match="conv5 by other"):
        pack(journal)
    assert len(pack(journal, [SETTING]).architectures) == 4
