"""``nasbench train-table``: train architectures and make a table of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from nasbench import registry
from nasbench.cli.options import Commands, add_devices, add_images, command
from nasbench.cli.terminal import print_report, progress_bar, tell_failures


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "train-table", do, "train architectures of a search space, and make a table of them")
    parser.add_argument("space", choices=registry.names("spaces"), metavar="SPACE", help="see `nasbench tables`")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--sample", type=int, metavar="N", help="train so many, drawn at random")
    which.add_argument("--architectures", type=Path, metavar="FILE", help="train those of a file, one a line")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each")
    parser.add_argument("--epochs", type=int, required=True, help="of each training")
    add_images(parser)
    add_devices(parser)
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="this machine or a ray cluster")
    parser.add_argument("--journal", type=Path, default=Path("trainings.db"), help="what was trained, once for all")
    parser.add_argument("--out", type=Path, help="the .h5 file to write; named after the setting by default")


def do(options: argparse.Namespace) -> int:
    """Run the command; return its exit status."""
    from nasbench.store import write
    from nasbench.training import needing_torch

    with needing_torch("train-table needs"):
        from nasbench.training import cifar10
        from nasbench.training.campaign import Job, read_architectures, run_campaign, sample
        from nasbench.training.devices import without_auto
        from nasbench.training.journal import Journal, Setting
        from nasbench.training.pack import pack, table_name
        from nasbench.training.recipes import recipe_for

    space = registry.find("spaces", options.space)()
    recipe = recipe_for(space.name)
    if options.architectures:
        architectures = read_architectures(space, options.architectures)
    else:
        architectures = sample(space, options.sample, options.seed)
    device = without_auto(options.device)
    images = cifar10.images_for(space.name, options.data, tenth=options.subset, side=options.side or 32)
    job, journal = Job(space, images, recipe, options.epochs, device), Journal(options.journal)
    with progress_bar("training", "trainings") as progress:
        failures = run_campaign(
            job,
            architectures,
            journal,
            seeds=range(options.seeds),
            workers=options.workers,
            engine=options.engine,
            progress=progress,
        )
    status = tell_failures(failures)
    setting = Setting.of(space, recipe, images, options.epochs)
    out = options.out or Path(f"{table_name([setting])}.h5")
    asked = {(identity, seed) for identity in map(space.identity, architectures) for seed in range(options.seeds)}
    content = pack(journal, [setting], dataset="cifar10", only=asked)
    write(out, content, force=True)  # made anew from the journal, which has all that the old one had
    print_report(content.report)
    print(options.journal, out, sep="\n")
    return status
