"""``nasbench compare``: run search algorithms on a benchmark and compare them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from nasbench.cli.options import Commands, add_images, add_output, add_table, command, cores
from nasbench.cli.terminal import progress_bar, tell
from nasbench.errors import ComparisonError, NasbenchError
from nasbench.types import Budget, Constraint

BASELINES = ("random_search", "regularized_evolution", "genetic_algorithm", "reinforce", "local_search")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "compare", do, "run search algorithms on a table and compare them")
    parser.add_argument(
        "algorithms",
        nargs="*",
        metavar="ALGORITHM",
        default=BASELINES,
        help="a name (see `nasbench tables`), FILE.py:CLASS, or either with :ARGUMENT=VALUE,...",
    )
    add_table(parser)
    parser.add_argument("--budget", type=_budget, default="1000", help="1000 evaluations, 20000s or 3000epochs")
    parser.add_argument("--runs", type=int, default=500, help="searches an algorithm")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random")
    parser.add_argument(
        "--observe",
        choices=("run", "mean"),
        default="run",
        help="what a query shows a search: one recorded run, drawn at random, or the mean over runs",
    )
    parser.add_argument("--free-repeats", action="store_true", help="evaluating an architecture again costs nothing")
    parser.add_argument("--workers", type=int, default=1, help="trainings at the same time, on a simulated clock")
    parser.add_argument(
        "--objectives",
        type=_names,
        default=(),
        metavar="METRIC,...",
        help="what is searched for, such as validation_accuracy,latency (see `nasbench info`); validation accuracy "
        "by default",
    )
    parser.add_argument(
        "--constraint",
        action="append",
        type=_constraint,
        default=[],
        metavar="METRIC<=NUMBER",
        help="a bound, also METRIC>=NUMBER, such as 'parameters<=500000'; may be given several times",
    )
    parser.add_argument("--processes", type=int, default=cores(), help="of this machine; does not change the result")
    parser.add_argument("--out", type=Path, default=Path("comparison"), help="folder of the result")
    parser.add_argument("--force", action="store_true", help="delete a comparison that is in --out, and start over")
    add_output(parser)
    parser.add_argument("--target", type=float, default=0.1, help="regret that counts as success, percentage points")
    parser.add_argument("--center", choices=("mean", "median"), default="mean", help="line of the plot")
    parser.add_argument("--x", choices=("log", "linear"), default="log", help="budget axis of the plot")
    live = parser.add_argument_group("real training, with --table live:SPACE, such as live:conv5")
    live.add_argument("--epochs", type=int, help="of each training")
    live.add_argument("--seeds", type=int, help="runs of each architecture; 1 by default")
    live.add_argument("--journal", type=Path, help="what was trained, once for all; trainings.db by default")
    add_images(live)
    live.add_argument("--device", help="cpu by default; cuda, mps, or auto")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from rich.console import Console

    from nasbench.analysis.front_plot import draw_fronts
    from nasbench.analysis.plot import draw
    from nasbench.analysis.report import render, summarise, width_of
    from nasbench.benchmark import load
    from nasbench.search import Rules
    from nasbench.search.compare import Algorithm, Settings, compare
    from nasbench.system.files import write_json

    if not 0 < options.target <= 100:
        raise ComparisonError(f"--target must be above 0 and at most 100 percentage points, it is {options.target}.")
    table = _live(options)
    dataset = load(table, options.dataset).dataset
    settings = Settings(
        table,
        dataset,
        tuple(Algorithm.parse(text) for text in options.algorithms),
        options.budget,
        options.runs,
        options.seed,
        Rules(options.observe, not options.free_repeats),
        options.workers,
        options.objectives,
        tuple(options.constraint),
    )
    out: Path = options.out
    with progress_bar("searching", "runs", quiet=options.quiet) as progress:
        comparison = compare(settings, out, processes=options.processes, progress=progress, force=options.force)
    summary = summarise(comparison, target=options.target / 100)
    write_json(out / "summary.json", summary)
    pictures = [out / "curves.png", out / "curves.pdf"]
    draw(summary, pictures[:2], center=options.center, x=options.x)
    if summary["fronts"]:
        pictures += [out / "fronts.png", out / "fronts.pdf"]
        draw_fronts(summary, pictures[2:], x=options.x)
    console = Console()
    if not console.is_terminal:  # a file or a pipe is as wide as it needs to be
        console = Console(width=width_of(summary))
    paths = [out / "summary.json", *pictures, out / "histories/", out / "manifest.json"]
    tell(options, summary, lambda: console.print(render(summary)), paths)


def _budget(text: str) -> Budget:
    try:
        return Budget.parse(text)
    except NasbenchError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def _constraint(text: str) -> Constraint:
    try:
        return Constraint.parse(text)
    except NasbenchError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _live(options: argparse.Namespace) -> str:
    """Return the name of the benchmark, into which the options of real training are written."""
    paths = {name: os.path.abspath(getattr(options, name)) for name in ("data", "journal") if getattr(options, name)}
    numbers = {name: getattr(options, name) for name in ("epochs", "seeds", "side", "device")}
    given = {**numbers, "subset": 1 if options.subset else None, **paths}
    settings = [f"{name}={value}" for name, value in given.items() if value is not None]
    table: str = options.table
    if not table.startswith("live:"):
        if settings:
            names = ", ".join(f"--{setting.partition('=')[0]}" for setting in settings)
            raise ComparisonError(f"{names}: only for real training, with --table live:SPACE, such as live:conv5.")
        return table
    separator = "," if table.count(":") > 1 else ":"
    return f"{table}{separator}{','.join(settings)}" if settings else table
