"""compare(): many runs of several algorithms on one benchmark, in parallel, resumable, into one folder.

The folder holds ``manifest.json`` (what was asked, and the command that repeats it), ``histories/ALGORITHM.h5``, and
``parts/`` while it is incomplete. A run depends on its algorithm and the settings, not on other runs: neither the
number of workers, nor an interruption, nor runs that were there before change a byte of the result.
"""

from __future__ import annotations

import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nasbench.benchmark import load
from nasbench.errors import ComparisonError, NasbenchError, SearcherError
from nasbench.search.algorithm import Algorithm
from nasbench.search.folder import FORMAT, LOCK, Part, claim, finish, history_file, missing, read_manifest
from nasbench.search.history import History, load_histories, save_histories
from nasbench.search.loop import run, what_to_do
from nasbench.search.objectives import objectives_of, satisfying
from nasbench.search.settings import Settings
from nasbench.system.lock import held
from nasbench.system.processes import end_with_parent
from nasbench.tables.table import Table
from nasbench.types import Benchmark, Searcher

__all__ = ["Algorithm", "Comparison", "Settings", "compare", "read_comparison"]


class Comparison(NamedTuple):
    """A finished comparison."""

    settings: Settings
    benchmark: Benchmark
    histories: dict[str, list[History]]
    """By label of the algorithm, one history a run."""


def compare(
    settings: Settings,
    out: str | os.PathLike[str],
    *,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    force: bool = False,
) -> Comparison:
    """Run the comparison, or go on with an interrupted one, and leave all histories in ``out``.

    Run r of every algorithm has the seed (seed, r, 0), and run() draws what it sees from (seed, r, 1).

    What ``out`` has already is used again: of a comparison with the same benchmark, budget, seed and rules all finished
    runs of the algorithms that are asked for, as long as their files and this package are as they were. A change in a
    file that an algorithm imports is not noticed. Other finished runs stay in ``parts/``, outside of the result.

    Args:
        settings: What is compared.
        out: The folder; made if it does not exist.
        processes: How many work at the same time; they end within two seconds of this one, however it ends.
        progress: Called with the numbers of finished and of all runs.
        force: Delete a comparison that is in ``out``, and start over.

    Raises:
        ComparisonError: ``out`` holds another comparison, or another process works there; an algorithm is named twice,
            cannot be made, or proposes what a table of some architectures has not; a number is not positive; or a
            process was killed.
        ConstraintError: No architecture of the table satisfies the constraints.
        NotRecordedError: The benchmark does not know an objective or a constrained metric.
        SearcherError: A searcher broke the ask/tell contract, or raised something. The message names algorithm, run,
            seed and evaluation; ``traceback`` holds the frames of the searcher's own file.
        UnknownNameError: There is no such table, image dataset or searcher.
        TableFileError: The table is not sound.
        HistoryFileError: A history that is there already is damaged; delete it to have it made again.
    """
    folder = Path(out).absolute()  # workers are used again, and stay in the folder in which they were started
    benchmark: Benchmark = load(settings.table, settings.dataset)
    _check(settings, benchmark, processes)
    with held(folder / LOCK, ComparisonError, "Wait for it, or choose another --out."):
        manifest = _manifest(settings, benchmark, folder.name)
        claim(folder, manifest, force=force)
        parts = list(missing(folder, manifest["settings"]))
        total = settings.runs * len(settings.algorithms)
        done = total - sum(part.stop - part.start for part in parts)
        progress(done, total)
        try:
            for finished in _finished(settings, benchmark, folder, parts, processes):
                done += finished
                progress(done, total)
        except NasbenchError as error:
            raise _bare(error) from None
        except BrokenProcessPool:
            raise ComparisonError(
                "a process was killed, perhaps because memory ran out. The same command goes on where it stopped; "
                "fewer --processes need less memory."
            ) from None
        finish(folder, manifest["settings"])
        labels = [algorithm.label for algorithm in settings.algorithms]
        return Comparison(settings, benchmark, {label: load_histories(history_file(folder, label)) for label in labels})


def read_comparison(
    folder: str | os.PathLike[str], table: str | None = None
) -> tuple[Benchmark, dict[str, list[History]]]:
    """Read a finished comparison: its benchmark, and by label of the algorithm one history a run.

    Args:
        folder: The ``out`` of :func:`compare`.
        table: Where the benchmark is now; by default where the manifest says.

    Raises:
        ComparisonError: The folder holds no finished comparison, or the benchmark is another one.
        UnknownNameError: There is no such table or image dataset.
        TableFileError: The table is not sound.
        HistoryFileError: A history is damaged.
    """
    path = Path(folder) / "manifest.json"
    manifest = read_manifest(path)
    settings = manifest["settings"]
    try:
        name, dataset, digest = (str(settings[key]) for key in ("table", "dataset", "table_digest"))
        labels = [str(algorithm["algorithm"]) for algorithm in settings["algorithms"]]
    except (KeyError, TypeError) as error:
        raise ComparisonError(f"{path}: settings lack {error}.") from None
    benchmark: Benchmark = load(table or name, dataset)
    if benchmark.digest != digest:
        raise ComparisonError(
            f"{path}: the comparison was made on {name} with the digest {digest[:16]}; {table or name} has "
            f"{benchmark.digest[:16]}. Give the table that it was made on with --table."
        )
    files = {label: history_file(Path(folder), label) for label in labels}
    if not labels or not all(file.exists() for file in files.values()):
        raise ComparisonError(f"{path}: the comparison is not finished. Go on with it: {manifest.get('command')}")
    return benchmark, {label: load_histories(file) for label, file in files.items()}


def _finished(
    settings: Settings, benchmark: Benchmark, folder: Path, parts: list[Part], processes: int
) -> Iterator[int]:
    """Make parts; yield the number of runs of each as it is finished."""
    from joblib import Parallel, delayed

    processes = min(processes, max(len(parts), 1))
    if processes > 1:
        _start(processes)
    algorithms = {algorithm.label: algorithm for algorithm in settings.algorithms}
    jobs = (
        delayed(_part)(settings, benchmark.locator, benchmark.digest, algorithms[part.label], part, folder)
        for part in parts
    )
    yield from Parallel(n_jobs=processes, return_as="generator_unordered")(jobs)


def _start(processes: int) -> None:
    """Start processes that ignore Ctrl-C, which a terminal sends to all: they end with us, without a traceback each."""
    from joblib import Parallel, delayed

    if threading.current_thread() is not threading.main_thread():  # only there may signals be set
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Parallel(n_jobs=processes)(delayed(end_with_parent)() for _ in range(processes))
    finally:
        signal.signal(signal.SIGINT, before)


def _part(settings: Settings, locator: str, digest: str, algorithm: Algorithm, part: Part, folder: Path) -> int:
    """Do the runs of one part; return how many."""
    end_with_parent()
    benchmark = _benchmark(locator, settings.dataset, digest)
    save_histories(
        part.path(folder), (_search(settings, benchmark, algorithm, r) for r in range(part.start, part.stop))
    )
    return part.stop - part.start


def _search(settings: Settings, benchmark: Benchmark, algorithm: Algorithm, r: int) -> History:
    try:
        searcher = _build(settings, benchmark, algorithm, [settings.seed, r, 0])
        return run(
            searcher,
            benchmark,
            settings.budget,
            seed=[settings.seed, r, 1],
            rules=settings.rules,
            workers=settings.workers,
            objectives=objectives_of(benchmark, settings.objectives),
            constraints=settings.constraints,
        )
    except (SearcherError, ComparisonError) as error:
        named = type(error)(f"run {r} of {algorithm.label}: {error}")
        named.traceback = error.traceback
        raise named from error


def _build(settings: Settings, benchmark: Benchmark, algorithm: Algorithm, seed: list[int]) -> Searcher:
    objectives = objectives_of(benchmark, settings.objectives)
    return algorithm.build(benchmark, seed, objectives=objectives, constraints=settings.constraints)


def _bare(error: NasbenchError) -> NasbenchError:
    """Return an error without the frames of workers and of joblib; those of the user's code become a note to it."""
    bare = type(error)(str(error))
    bare.traceback = error.traceback
    if bare.traceback:
        bare.add_note(bare.traceback)
    return bare


@cache
def _benchmark(locator: str, dataset: str, digest: str) -> Benchmark:
    """Open a benchmark once a process: what it has read serves all parts."""
    benchmark: Benchmark = load(locator, dataset)
    if benchmark.digest != digest:
        raise ComparisonError(f"{locator}: has changed since the comparison started. Choose another --out.")
    return benchmark


def _check(settings: Settings, benchmark: Benchmark, processes: int) -> None:
    for word, number in (("runs", settings.runs), ("workers", settings.workers), ("processes", processes)):
        if number < 1:
            raise ComparisonError(f"{word} must be at least 1, not {number}.")
    if settings.seed < 0:
        raise ComparisonError(f"the seed must not be negative, it is {settings.seed}.")
    labels = [algorithm.label for algorithm in settings.algorithms]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice or not labels:
        raise ComparisonError(f"algorithms must be named, each once; found twice: {', '.join(twice) or 'none at all'}.")
    if len(settings.objectives) == 1 and settings.objectives != ("validation_accuracy",):
        raise ComparisonError(
            f"a single objective must be validation_accuracy, not {settings.objectives[0]}: name both, such as "
            f"--objectives validation_accuracy,{settings.objectives[0]}."
        )
    satisfying(benchmark, settings.constraints)
    for algorithm in settings.algorithms:
        _build(settings, benchmark, algorithm, [settings.seed, 0, 0])  # fails now rather than after minutes
        if isinstance(benchmark, Table) and len(benchmark) < benchmark.space.size:
            _check_first_trial(algorithm, benchmark, settings)


def _check_first_trial(algorithm: Algorithm, table: Table, settings: Settings) -> None:
    """Say what to do where an algorithm's first proposal is none of those that a table has."""
    # A seed of no run: with that of the first, what was drawn for a table would be drawn again.
    searcher = _build(settings, table, algorithm, [settings.seed, 0, 2])
    try:
        trial = searcher.ask()
    except Exception:  # which the first run will report
        return
    advice = what_to_do(table, trial, settings.table)
    if advice and trial is not None:
        proposal = table.space.format(table.space.check(trial[0]))
        raise ComparisonError(f"{algorithm.label} proposes {proposal}, which {table.name} does not have.{advice}")


def _manifest(settings: Settings, benchmark: Benchmark, name: str) -> dict[str, Any]:
    from nasbench import __version__

    return {
        "format": FORMAT,
        "command": settings.command(name),
        "settings": {
            "table": settings.table,
            "dataset": settings.dataset,
            "table_digest": benchmark.digest,
            "algorithms": [{"algorithm": a.label, "sha256": a.sha256} for a in settings.algorithms],
            "budget": settings.budget._asdict(),
            "runs": settings.runs,
            "seed": settings.seed,
            "rules": settings.rules._asdict(),
            "workers": settings.workers,
            "objectives": list(settings.objectives),
            "constraints": [str(constraint) for constraint in settings.constraints],
            "nasbench": __version__,
        },
        "made_with": {"python": platform.python_version(), **_versions("numpy", "h5py", "scipy")},
        "source": benchmark.source,
    }


def _versions(*distributions: str) -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in distributions}
