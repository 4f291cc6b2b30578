"""The protocol: who is trained on, who is tested, and that the numbers are those of the labels."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
from scipy.stats import kendalltau

from nasbench import load, registry
from nasbench.cli import main
from nasbench.errors import MissingPackageError
from nasbench.store import SOURCE_FIELDS, Column, DatasetContent, TableContent, write
from surrogates import evaluation
from surrogates.default import default
from surrogates.encoded import Encoded
from surrogates.evaluation import EvaluationError, Protocol, evaluate, make, protocol_of


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """600 cells of NAS-Bench-201 with the figures of the embedded table, and some forms of the same networks."""
    whole = load("nasbench201")
    rows = np.arange(600)
    runs = np.stack([whole.column("validation_accuracy", run=run)[rows] for run in range(3)], axis=1)
    counts = np.where(np.isfinite(runs), np.rint(np.nan_to_num(runs) * 25_000), 65535).astype(np.uint16)
    column = Column(counts[:, None], "images", (200,), 25_000)
    path = tmp_path_factory.mktemp("evaluation") / "some.h5"
    content = DatasetContent({}, {200: {"validation_accuracy": column}})
    source = dict.fromkeys(SOURCE_FIELDS, "")
    write(path, TableContent("nb201", whole.architectures[rows], {"cifar10": content}, source, {}))
    return load(path)


def test_scores_are_those_of_the_others(table):
    protocol = Protocol("validation_accuracy", (60,), splits=2, seed=3)
    found = evaluate(table, ["ridge"], protocol)
    result = found["results"]["ridge"]["60"]
    assert len(result["scores"]) == 2
    train, test = evaluation._split(table.space.key_many(table.architectures), 60, protocol, 1)
    assert sorted([*train, *test]) == [*range(600)]
    labels = table.column("validation_accuracy")
    model = evaluation.make("ridge", "nb201", 4, 60).fit(table.architectures[train], labels[train])
    tau = kendalltau(labels[test], model.predict(table.architectures[test])).statistic
    assert result["scores"][1]["kendall"] == pytest.approx(tau)
    assert result["mean"]["kendall"] == pytest.approx(np.mean([score["kendall"] for score in result["scores"]]))
    assert found["architectures"] == 600
    assert found["digest"] == table.digest
    assert 0.9 < found["ceiling"] < 1


def test_splits_depend_on_nothing_but_seed_size_and_number(table):
    protocol = Protocol("validation_accuracy", (50,), splits=1)

    def taus(models, protocol):
        results = evaluate(table, models, protocol)["results"]
        return [results["ridge"][str(size)]["mean"]["kendall"] for size in protocol.sizes]

    assert taus(["ridge"], protocol) == taus(["gaussian_process", "ridge"], protocol._replace(sizes=(20, 50)))[1:]
    assert taus(["ridge"], protocol) != taus(["ridge"], protocol._replace(seed=1))


def test_forms_of_one_network_stay_together_or_are_one(table):
    keys = table.space.key_many(table.architectures)
    assert len(np.unique(keys)) < len(keys)
    for split in range(5):
        train, test = evaluation._split(keys, 100, Protocol("", (), copies="together"), split)
        assert not set(keys[train]) & set(keys[test])
        assert len(train) == 100
    found = evaluate(table, ["ridge"], Protocol("validation_accuracy", (50,), splits=1, copies="one"))
    assert found["architectures"] == len(np.unique(keys))


def test_what_publications_do():
    assert protocol_of(load("nasbench201")) == Protocol("validation_accuracy", (78, 156, 469, 781, 1563))


def test_what_cannot_be_evaluated_says_why(table):
    for sizes in ((599,), (1,)):
        with pytest.raises(EvaluationError, match="sizes must be from 2 to 598"):
            evaluate(table, ["ridge"], Protocol("validation_accuracy", sizes))
    with pytest.raises(EvaluationError, match=r"unknown model 'lasso': expected default, or of ridge\+random_forest"):
        evaluate(table, ["ridge+lasso"], Protocol("validation_accuracy", (50,)))


def test_the_default_beats_its_rivals_on_few_labels():
    """On splits that nobody looked at: the published best of 156 labels is .804, our target .87."""
    table = load("nasbench201")
    protocol = Protocol("validation_accuracy", (156,), splits=2, seed=77)
    results = evaluate(table, ["default", "ridge"], protocol)["results"]
    taus = {model: result["156"]["mean"]["kendall"] for model, result in results.items()}
    assert taus["default"] > 0.855
    assert taus["default"] > taus["ridge"] + 0.05


@pytest.mark.parametrize("name", ["nb201", "nats_sss", "nb_macro"])
def test_the_default_of_each_space_learns(name):
    """What networks cost; of NAS-Bench-201 the cost has a part that is dead, which the features do not see."""
    space = registry.find("spaces", name)()
    choices = space.sample_many(120, np.random.default_rng(0))
    labels = np.log(space.flops_many(choices))
    model = default(name, random_state=0).fit(choices[:80], labels[:80])
    assert kendalltau(model.predict(choices[80:]), labels[80:]).statistic > (0.7 if name == "nb201" else 0.8)


def test_without_scikit_learn_the_command_says_what_to_install(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.split(".")[0] in ("sklearn", "surrogates")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert main(["evaluate-surrogates"]) == 1
    assert "pip install 'nasbench-suite[surrogates]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("space", "other"), [("nb101", "gaussian_process+boosted_trees"), ("nb_macro", "gaussian_process")]
)
def test_without_torch_a_default_that_needs_it_names_another_model(monkeypatch, space, other):
    for name in ("graph_network", "neural_network", "_torch", "_default101"):
        monkeypatch.delitem(sys.modules, f"surrogates.{name}", raising=False)
    monkeypatch.delattr("surrogates._default101", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingPackageError, match=re.escape(f"nasbench-suite[train]'; or take the model {other}.")):
        default(space)
    assert isinstance(make(other, space, 0, 100), Encoded)


def test_the_default_of_nas_bench_101_learns():
    space = registry.find("spaces", "nb101")()
    choices = space.sample_many(60, np.random.default_rng(0))
    labels = np.log(space.flops_many(choices))
    model = default("nb101", labels=2000, random_state=0).fit(choices[:40], labels[:40])
    assert kendalltau(model.predict(choices[40:]), labels[40:]).statistic > 0.6


def test_the_command(tmp_path, capsys, table):
    words = [
        "evaluate-surrogates",
        "ridge",
        "gaussian_process",
        "--table",
        table.path,
        "--sizes",
        "40,80",
        "--splits",
        "2",
    ]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"ridge +40 +0\.\d{3} ± 0\.\d{3}", out)
    assert "the truth would reach tau 0.9" in out
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert set(found["results"]) == {"ridge", "gaussian_process"}
    assert found["protocol"]["sizes"] == [40, 80]
    assert (tmp_path / "out" / "evaluation.png").read_bytes()[:4] == b"\x89PNG"
    assert main([*words[:-4], "--sizes", "9000", "--out", str(tmp_path / "no")]) == 1
    assert "sizes must be from 2 to 598" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
    with pytest.raises(SystemExit):
        main(["evaluate-surrogates", "--sizes", "many"])
    assert "write numbers of labels, such as 78,156" in capsys.readouterr().err
