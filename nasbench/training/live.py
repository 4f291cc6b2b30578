"""LiveBenchmark: a query trains, once; afterwards the journal answers it, here and in every other process."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench import registry
from nasbench.errors import CampaignError, NotRecordedError, unknown_name
from nasbench.metrics import COUNTS, Metric, metric_among
from nasbench.spaces import SearchSpace
from nasbench.system.files import canonical_json
from nasbench.training.campaign.campaign import checkpoints_of
from nasbench.training.campaign.jobs import Job, Task, TrainOne, forget_checkpoint, train_one
from nasbench.training.campaign.journal import Journal, Setting, made_with
from nasbench.training.campaign.pack import costs
from nasbench.training.images import Images
from nasbench.training.loop.train import Training
from nasbench.training.recipes import RECIPES
from nasbench.types import Architecture, Fidelity, Metrics, Origin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_NAN = float("nan")
_SPLITS = {"validation_accuracy": "validation", "test_accuracy": "test", "train_accuracy": "train"}


class LiveBenchmark:
    """A benchmark whose queries train real networks on real images.

    The same question has the same answer: what is in the journal is never trained again. A process that asks for what
    another one is training waits for it, where the system and the file system have locks; elsewhere both train, and
    what the first of them writes is what both answer. May be pickled, with its images; copies share the journal.

    Args:
        space: Name of the search space.
        images: What is trained and evaluated on.
        recipe: A name in :data:`nasbench.training.recipes.RECIPES`.
        epochs: The length of the one schedule.
        journal: The file of trainings; made if there is none.
        seeds: Run r of an architecture is the training of seed r, below this number.
        device: As for :func:`nasbench.training.loop.train.train`.
        train_one: What trains.
        dataset: What to call the images; by default their full name.
        locator: What :func:`nasbench.load` opens it by; by default the path of the journal, by which it does not.

    Raises:
        UnknownNameError: There is no such space or recipe.
        CampaignError: epochs or seeds are not positive.
        JournalError: The journal is none, or holds other trainings by a recipe of this name.
    """

    def __init__(
        self,
        space: str,
        images: Images,
        *,
        recipe: str,
        epochs: int,
        journal: str | os.PathLike[str],
        seeds: int = 1,
        device: str = "cpu",
        train_one: TrainOne = train_one,
        dataset: str = "",
        locator: str = "",
    ) -> None:
        if recipe not in RECIPES:
            raise unknown_name("recipe", recipe, RECIPES)
        if epochs < 1 or seeds < 1:
            raise CampaignError(f"expected at least 1 epoch and 1 seed, not {epochs} and {seeds}.")
        self.space: SearchSpace = registry.find("spaces", space)()
        self.images = images
        self.seeds = seeds
        self.journal = Journal(journal)
        self.fidelities: tuple[Fidelity, ...] = tuple(Fidelity(epochs, epoch + 1) for epoch in range(epochs))
        self.dataset: str = dataset or images.name
        self.locator: str = locator or str(self.journal.path)
        self.name: str = f"{space} trained for {epochs} epoch{'s' if epochs > 1 else ''} on {self.dataset}"
        self._job = Job(self.space, images, RECIPES[recipe], epochs, device, checkpoints_of(self.journal))
        self._setting = Setting.of(self.space, RECIPES[recipe], images, epochs)
        self._train_one = train_one
        self._known: dict[tuple[int, int], Training] = {}
        self.digest: str = self._digest()
        """A digest of the settings and the versions of what trains."""
        self.journal.claim(RECIPES[recipe])

    def __reduce__(self) -> tuple[Any, ...]:
        setting, device, texts = self._setting, self._job.device, (self.dataset, self.locator)
        return _again, (setting, self.images, self.journal.path, self.seeds, device, self._train_one, *texts)

    def __repr__(self) -> str:
        return f"<live benchmark {self.name}: {self.seeds} runs each, {self.journal}>"

    @property
    def source(self) -> dict[str, str]:
        """Where the data comes from: trainings by this code; nobody else's name, address, licence or citation."""
        how = f"{self.name}, by the recipe {self._job.recipe.name}, on {self.images.name}: measured by this code"
        return {"name": how, "address": "", "licence": "", "citation": ""}

    @property
    def origin(self) -> Origin:
        """Where the numbers come from."""
        return "trained"

    def runs(
        self, architecture: Architecture, *, schedule: int | None = None, epoch: int | None = None
    ) -> Sequence[int]:
        """Return the runs that can be asked for: one for each seed, whether it is trained already or not.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
            NotRecordedError: There is no such schedule or epoch.
        """
        self.space.check(architecture)
        self._fidelity(schedule, epoch)
        return range(self.seeds)

    def query(
        self,
        architecture: Architecture,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> Metrics:
        """Return what training gave, training what the journal lacks: one run, or by default all of them.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
            NotRecordedError: There is no such schedule, epoch or run.
            TrainingError: As for :func:`nasbench.training.loop.train.train`.
            JournalError: The journal cannot be read or written.
        """
        architecture = self.space.check(architecture)
        fidelity = self._fidelity(schedule, epoch)
        if run is not None and (isinstance(run, bool) or run not in range(self.seeds)):
            raise NotRecordedError(f"{self.name} has {self.seeds} runs, from 0 on, not run {run!r}.")
        chosen = range(self.seeds) if run is None else [run]
        trainings = [self._trained(architecture, seed) for seed in chosen]
        step = fidelity.epoch - 1
        parameters, flops = costs(self.space, [architecture], classes=self.images.classes, side=self.images.side)
        return Metrics(
            **{metric: _mean(trainings, split, step) for metric, split in _SPLITS.items()},
            training_time=float(np.mean([training.training_seconds[step] for training in trainings])),
            latency=_NAN,
            parameters=None if parameters is None else int(parameters[0]),
            flops=None if flops is None else int(flops[0]),
            schedule=fidelity.schedule,
            epoch=fidelity.epoch,
            run=run,
            origin="trained",
        )

    def means(
        self,
        architectures: ArrayLike,
        metric: str = "validation_accuracy",
        *,
        runs: Sequence[Iterable[int]] | None = None,
    ) -> NDArray[np.float64]:
        """Return means at the last epoch over the runs that are trained, shape (n,), nan where none is.

        This trains nothing: as a table's, a mean is over what is recorded, which may become more.

        Args:
            architectures: Choices, shape (n, decisions).
            metric: An accuracy that is evaluated.
            runs: Of each architecture the runs that count, as far as they are trained; all by default.

        Raises:
            InvalidArchitectureError: One of them is no architecture of the space.
            NotRecordedError: There is no such accuracy.
            JournalError: The journal cannot be read.
        """
        if metric not in _SPLITS:
            raise NotRecordedError(str(unknown_name(f"accuracy of {self.name}:", metric, _SPLITS)))
        there = self.journal.trained(self._setting)
        result = []
        for i, identity in enumerate(self.space.identity_many(architectures).tolist()):
            counted = range(self.seeds) if runs is None else runs[i]
            trainings = [self._found(identity, seed) for seed in counted if (identity, seed) in there]
            result.append(_mean(trainings, _SPLITS[metric], -1) if trainings else _NAN)
        return np.array(result, np.float64)

    def best(self, metric: str = "validation_accuracy") -> float | None:
        """Return None: nobody knows the largest mean over the whole space."""
        return None

    def metric(self, name: str) -> Metric:
        """Describe a metric: name, unit, and whether more or less of it is better.

        Raises:
            NotRecordedError: There is no such metric.
        """
        return metric_among(name, [*_SPLITS, "training_time"], self.name)

    def known(self, metric: str) -> bool:
        """Say whether a metric costs nothing to know: parameters and flops, which the search space tells."""
        return metric in COUNTS

    def value(
        self,
        architecture: Architecture,
        metric: str,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> float:
        """Return one metric of one architecture, nan where there is none.

        Args:
            architecture: As for :meth:`query`.
            metric: An accuracy, training_time, or parameters or flops.
            schedule: As for :meth:`query`.
            epoch: As for :meth:`query`.
            run: As for :meth:`query`.

        Raises:
            InvalidArchitectureError, NotRecordedError: As for :meth:`query` and :meth:`metric`.
        """
        self.metric(metric)
        if metric in COUNTS:
            choices = [self.space.check(architecture)]
            counts = costs(self.space, choices, classes=self.images.classes, side=self.images.side)
            count = counts[COUNTS.index(metric)]
            return _NAN if count is None else float(count[0])
        return float(getattr(self.query(architecture, schedule=schedule, epoch=epoch, run=run), metric))

    def _fidelity(self, schedule: int | None, epoch: int | None) -> Fidelity:
        last = self.fidelities[-1]
        if schedule is not None and schedule != last.schedule:
            raise NotRecordedError(f"{self.name} has the schedule {last.schedule}, not {schedule}.")
        if epoch is not None and epoch not in range(1, last.epoch + 1):
            raise NotRecordedError(f"{self.name} has the epochs 1 to {last.epoch}, not epoch {epoch}.")
        return last if epoch is None else Fidelity(last.schedule, int(epoch))

    def _trained(self, architecture: Architecture, seed: int) -> Training:
        """Return a training, after doing it if nobody has."""
        identity = self.space.identity(architecture)
        if (identity, seed) not in self._known and self.journal.find(self._setting, identity, seed) is None:
            with self._alone(identity, seed):
                if self.journal.find(self._setting, identity, seed) is None:  # nobody did while we waited
                    training = self._train_one(self._job, Task(architecture, seed))
                    recipe, epochs = self._job.recipe, self._job.epochs
                    self.journal.add(
                        self.space, architecture, recipe, self.images, epochs=epochs, seed=seed, training=training
                    )
                    forget_checkpoint(self._job, identity, seed)
        return self._found(identity, seed)

    @contextmanager
    def _alone(self, identity: int, seed: int) -> Iterator[None]:
        """Keep other processes from the same training: one byte of a file beside the journal is locked for each."""
        if sys.platform == "win32":
            yield
            return
        import fcntl

        digest = hashlib.sha256(f"{self._setting} {identity} {seed}".encode()).digest()
        place = int.from_bytes(digest[:7], "big")  # where the file has no byte, one can be locked all the same
        with open(f"{self.journal.path}-lock", "wb") as file:
            with suppress(OSError):  # some network drives have no locks
                fcntl.lockf(file, fcntl.LOCK_EX, 1, place)
            yield

    def _found(self, identity: int, seed: int) -> Training:
        """Return a training of the journal: what stands there, even if another process was first."""
        if (identity, seed) not in self._known:
            entry = self.journal.find(self._setting, identity, seed)
            assert entry is not None, "nothing leaves a journal"
            self._known[identity, seed] = entry.training
        return self._known[identity, seed]

    def _digest(self) -> str:
        versions = {name: made_with()[name] for name in ("nasbench", "torch")}
        described = {
            **self._setting._asdict(),
            "constants": self._job.recipe._asdict(),
            "seeds": self.seeds,
            "device": self._job.device,
            "versions": versions,
        }
        return hashlib.sha256(canonical_json(described)).hexdigest()


def _again(
    setting: Setting,
    images: Images,
    journal: str,
    seeds: int,
    device: str,
    train_one: TrainOne,
    dataset: str,
    locator: str,
) -> LiveBenchmark:
    return LiveBenchmark(
        setting.space,
        images,
        recipe=setting.recipe,
        epochs=setting.epochs,
        journal=journal,
        seeds=seeds,
        device=device,
        train_one=train_one,
        dataset=dataset,
        locator=locator,
    )


def _mean(trainings: Sequence[Training], split: str, step: int) -> float:
    """Return the mean accuracy of several trainings, rounded once; nan where the split is not evaluated."""
    if any(split not in training.images for training in trainings):
        return _NAN
    correct = sum(int(training.correct[split][step]) for training in trainings)
    return correct / sum(training.images[split] for training in trainings)
