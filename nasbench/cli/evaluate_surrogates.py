"""``nasbench evaluate-surrogates``: score predictors by the protocol of the field."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from nasbench.cli.options import Commands, add_output, add_table, command
from nasbench.cli.terminal import needing_surrogates, progress_bar, tell


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands, "evaluate-surrogates", do, "fit predictors to few labels of a table, and score them on all others"
    )
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", default=["default"], help="default, ridge, extra_trees, ... or A+B"
    )
    add_table(parser)
    parser.add_argument("--metric", help="validation_accuracy by default, or test_accuracy")
    parser.add_argument("--sizes", type=_sizes, help="numbers of labels, such as 78,156; those of publications")
    parser.add_argument("--splits", type=int, default=10, help="random splits of each size")
    parser.add_argument(
        "--copies",
        choices=("apart", "together", "one"),
        help="forms of one network: like others, on one side of a split, or only the first; as in publications",
    )
    parser.add_argument("--tested", type=int, help="predict so many of the others; all by default")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="COLUMN[@SCHEDULE[/EPOCH]][=SECONDS]",
        help="a column that models may look at, and its cost in training seconds an architecture; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of splits and models")
    parser.add_argument(
        "--out", type=Path, default=Path("evaluation"), help="folder of the result; the same command goes on in it"
    )
    parser.add_argument("--force", action="store_true", help="replace an evaluation that is there")
    add_output(parser)


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from rich.console import Console

    from nasbench.sources.named import load

    with needing_surrogates("evaluate-surrogates"):
        from surrogates.evaluation.harness import evaluate, protocol_of
        from surrogates.evaluation.report import draw, render

    table = load(options.table, options.dataset)
    given = {name: getattr(options, name) for name in ("metric", "sizes", "copies", "tested")}
    given |= {"splits": options.splits, "seed": options.seed, "inputs": tuple(options.input)}
    protocol = protocol_of(table)._replace(**{name: value for name, value in given.items() if value is not None})
    out: Path = options.out
    with progress_bar("fitting", "models", quiet=options.quiet) as progress:
        found = evaluate(table, options.models, protocol, folder=out, force=options.force, progress=progress)
    draw(found, out / "evaluation.png")
    files = [out / "evaluation.json", out / "evaluation.png", out / "timings.json"]
    written = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    tell(options, written, lambda: Console(width=140).print(render(found)), files)


def _sizes(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[0-9]{1,7}(,[0-9]{1,7})*", text):
        raise argparse.ArgumentTypeError(f"cannot read the sizes {text!r}: write numbers of labels, such as 78,156.")
    return tuple(int(size) for size in text.split(","))
