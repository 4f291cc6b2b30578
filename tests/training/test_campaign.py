"""Campaigns: everything is trained once, whatever fails, dies or is killed; and goes on where it ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import _campaigns
import pytest
from _campaigns import SCRATCH, SPACE, job
from _small import digits

from nasbench.errors import CampaignError, InvalidArchitectureError
from nasbench.spaces.nb201 import NB201
from nasbench.training.campaign.campaign import read_architectures, run_campaign, sample
from nasbench.training.campaign.journal import Journal, Setting

JOB = job()
SETTING = Setting.of(JOB.space, JOB.recipe, JOB.images, JOB.epochs)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    monkeypatch.setenv(SCRATCH, str(folder))
    return folder


def traces(scratch: Path) -> list[str]:
    return sorted(path.name.rsplit("-", 2)[0] for path in scratch.iterdir() if "-" in path.name)


def pairs(architectures: int, seeds: int) -> set[tuple[int, int]]:
    return {(SPACE.identity(a), seed) for a in sample(SPACE, architectures, 0) for seed in range(seeds)}


def test_trains_each_once_and_then_nothing(tmp_path: Path, scratch: Path):
    journal, seen = Journal(tmp_path / "journal.db"), []
    architectures = [*sample(SPACE, 3, 0), *sample(SPACE, 2, 0)]
    for _ in range(2):
        failures = run_campaign(
            JOB,
            architectures,
            journal,
            seeds=[0, 1],
            workers=2,
            progress=lambda *numbers: seen.append(numbers),
            train_one=_campaigns.instant,
        )
        assert failures == []
    assert len(traces(scratch)) == len(set(traces(scratch))) == 6
    assert journal.trained(SETTING) == pairs(3, 2)
    assert seen == [*((done, 6) for done in range(7)), (6, 6)]
    for entry in journal.entries(SETTING):  # each result with its own architecture and seed
        architecture = SPACE.parse(entry.architecture)
        assert entry.training.correct["test"].tolist() == [1 + sum(architecture), 2 + sum(architecture)]
        assert entry.training.correct["validation"].tolist() == [2 + entry.seed, 4 + entry.seed]


@pytest.mark.parametrize(
    ("function", "reason"), [("fails_at_seed_1", "RuntimeError: seed 1 fails"), ("dies_at_seed_1", "died 2 times.*-9")]
)
def test_what_fails_loses_nothing_else(tmp_path: Path, function: str, reason: str):
    journal = Journal(tmp_path / "journal.db")
    failures = run_campaign(
        JOB, sample(SPACE, 2, 0), journal, seeds=range(3), workers=2, train_one=getattr(_campaigns, function)
    )
    assert sorted(failure.architecture for failure in failures) == sorted(map(SPACE.format, sample(SPACE, 2, 0)))
    assert {failure.seed for failure in failures} == {1}
    for failure in failures:
        assert re.search(reason, failure.reason), failure
    assert journal.trained(SETTING) == {pair for pair in pairs(2, 3) if pair[1] != 1}


def test_a_killed_worker_is_replaced(tmp_path: Path, scratch: Path):
    journal = Journal(tmp_path / "journal.db")
    done = run_campaign(
        JOB, sample(SPACE, 3, 0), journal, seeds=[0, 1], workers=2, train_one=_campaigns.dies_once_at_seed_1
    )
    assert (scratch / "died").exists()
    assert done == []
    assert journal.trained(SETTING) == pairs(3, 2)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_campaign_goes_on(tmp_path: Path, scratch: Path, how: signal.Signals):
    path = tmp_path / "journal.db"
    command = [sys.executable, _campaigns.__file__, str(path), "local", "slow", "4", "3"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    while len(Journal(path).trained(SETTING)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, how) if how == signal.SIGINT else process.kill()  # as a terminal does, to all of them
    _, errors = process.communicate(timeout=30)
    assert errors.count(b"Traceback") <= 1  # ours, which the command line turns into silence; none of a worker
    kept = Journal(path).trained(SETTING)
    assert 2 <= len(kept) < 12
    time.sleep(0.5)
    assert len(traces(scratch)) - len(kept) <= 2  # what was in flight in two workers
    run_campaign(JOB, sample(SPACE, 4, 0), Journal(path), seeds=range(3), workers=2, train_one=_campaigns.instant)
    assert Journal(path).trained(SETTING) == pairs(4, 3)
    assert len(traces(scratch)) <= 12 + 2


def test_real_networks_learn(tmp_path: Path):
    journal = Journal(tmp_path / "journal.db")
    best = SPACE.parse("3s1relu-3s2relu-3s1relu-3s2relu-3s1relu")
    learning = job(5)._replace(images=digits())
    assert run_campaign(learning, [best], journal, workers=1) == []
    [entry] = journal.entries(SETTING._replace(epochs=5, images=digits().digest))
    assert entry.training.correct["validation"][-1] > 150  # of 300 digits; chance gives 30


def test_ray_with_a_killed_worker(tmp_path: Path, scratch: Path):
    pytest.importorskip("ray", reason="the extra cluster is not installed")
    path = tmp_path / "journal.db"
    folder = str(Path(_campaigns.__file__).parent)  # for the workers of the cluster
    environment = {**os.environ, "PYTHONPATH": folder, "RAY_USAGE_STATS_ENABLED": "0"}
    environment["RAY_enable_uv_run_runtime_env"] = "0"
    code = "import ray, runpy; ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False); "
    code += f"runpy.run_path({_campaigns.__file__!r}, run_name='__main__')"
    command = [sys.executable, "-c", code, str(path), "ray", "dies_once_at_seed_1", "3", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"
    assert (scratch / "died").exists()
    assert Journal(path).trained(SETTING) == pairs(3, 2)


def test_samples_are_distinct_and_go_on():
    some = sample(NB201(), 200, 5)
    assert sample(NB201(), 300, 5)[:200] == some
    assert len({NB201().identity(architecture) for architecture in some}) == 200
    assert sample(NB201(), 5, 6) != some[:5]


def test_reads_lists_of_architectures(tmp_path: Path):
    architectures = sample(SPACE, 3, 0)
    path = tmp_path / "list.txt"
    path.write_text("# mine\n" + "\n\n".join(map(SPACE.format, architectures)) + "\n", encoding="utf-8")
    assert read_architectures(SPACE, path) == architectures
    path.write_text(f"{SPACE.format(architectures[0])}\n3s1relu\n", encoding="utf-8")
    with pytest.raises(CampaignError, match=r"list\.txt, line 2: .*3s1relu"):
        read_architectures(SPACE, path)
    with pytest.raises(CampaignError, match="absent"):
        read_architectures(SPACE, tmp_path / "absent")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": []}, "at least one"),
        ({"seeds": []}, "at least one"),
        ({"seeds": [-1]}, "negative"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"engine": "slurm"}, "slurm"),
    ],
)
def test_refuses_what_cannot_start(tmp_path: Path, change: dict, message: str):
    arguments = {"architectures": sample(SPACE, 1, 0), **change}
    with pytest.raises(CampaignError, match=message):
        run_campaign(JOB, arguments.pop("architectures"), Journal(tmp_path / "j.db"), **arguments)
    with pytest.raises(InvalidArchitectureError):
        run_campaign(JOB, [(1, 2)], Journal(tmp_path / "j.db"))
    assert not (tmp_path / "j.db").exists()


def test_workers_that_cannot_start_are_failures_and_no_wait_for_ever(tmp_path: Path):
    """Of a program that Python read from its input, there is no file that a worker could start from."""
    code = (
        "import _campaigns\nfrom nasbench.training.campaign.campaign import run_campaign, sample\n"
        "from nasbench.training.campaign.journal import Journal\n"
        f"journal = Journal({str(tmp_path / 'journal.db')!r})\n"
        "one = sample(_campaigns.SPACE, 1, 0)\n"
        "print(run_campaign(_campaigns.job(), one, journal, workers=1, train_one=_campaigns.instant)[0].reason)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-"], input=code, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120
    )
    assert done.stdout == "its worker died 2 times, exit code 1\n"
