"""Measure whether a surrogate ranks searches as its table does, and where its intervals hold.

``python benchmarks/surrogate_fidelity.py FOLDER [NB_MACRO.h5]`` measures what FOLDER does not have yet, one file a part
(about an hour on one core), and writes the blocks ``fidelity``, ``example`` and ``intervals`` of docs/surrogates.md.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

import nasbench
from nasbench.analysis.incumbents import every_run
from nasbench.system.files import write_json
from nasbench.types import Metrics
from surrogates.benchmark import card
from surrogates.benchmark.fitting import fit
from surrogates.benchmark.queries import SurrogateBenchmark
from surrogates.evaluation import noise
from surrogates.evaluation.harness import make, protocol_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "surrogates.md"
FITS, SEARCHES = range(5), range(100)
LABELS, EVALUATIONS = 1000, 500
EXAMPLE = {"labels": 300, "evaluations": 100}
EXAMPLE_FITS = range(4)
SIZES = {"nasbench201": (156, 469, 1000), "nb_macro": (100, 500, 1000)}
SPLITS, FIRST_SPLIT = 5, 7000
NOMINAL = (0.5, 0.68, 0.9)
NEAREST = 100


class Redrawn:
    """The table's means, with a thousand runs that are drawn as those of a surrogate are: the truth of a surrogate."""

    def __init__(self, table: nasbench.Table) -> None:
        runs = every_run(table, "validation_accuracy")
        means = np.nanmean(runs, axis=1)
        kept = noise.keep(runs.T[:, :, None], means[:, None], means, np.zeros((len(means), 1)))
        self.space, self.fidelities, self.name, self.digest = table.space, table.fidelities, "redrawn", ""
        self.origin = "predicted"
        starts, width = kept.runs.window(means)
        still = np.nanstd(runs, axis=1) == 0
        deviations = np.where(still, 0, kept.runs.spread_.at(means))
        limits, rows = kept.runs.limit(means), kept.runs.rows_[:, 0]
        drawn = np.random.default_rng(0).integers(width, size=(len(means), 1000))
        off = np.minimum(rows[starts[:, None] + drawn] * deviations[:, None], limits[:, None])
        self._runs, self._means = np.clip(means[:, None] + off, 0, 1), means
        self._row = {tuple(choices): row for row, choices in enumerate(table.architectures.tolist())}

    def runs(self, architecture: Any, **_: Any) -> range:
        return range(1000)

    def query(self, architecture: Any, *, schedule: Any = None, epoch: Any = None, run: int | None = None) -> Metrics:
        row = self._row[architecture]
        value = float(self._means[row] if run is None else self._runs[row, run])
        last = self.fidelities[-1]
        return Metrics(value, np.nan, np.nan, 1.0, np.nan, None, None, last.schedule, last.epoch, run, "predicted")

    def means(self, architectures: Any, metric: str = "") -> NDArray[np.float64]:
        return self._means[[self._row[tuple(choices)] for choices in np.asarray(architectures).tolist()]]

    def best(self, metric: str = "") -> float:
        return float(self._means.max())


def main(folder: str, macro: str | None = None) -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    table = nasbench.load("nasbench201")

    def part(name: str, measure: Callable[[], Any]) -> Any:
        path = out / f"{name}.json"
        if not path.exists():
            write_json(path, measure())
            print(path, flush=True)
        return json.loads(path.read_text(encoding="utf-8"))

    found = {
        "table": part("table", lambda: searched(table, EVALUATIONS)),
        "redrawn": part("redrawn", lambda: searched(Redrawn(table), EVALUATIONS)),
        "fits": [part(f"fit-{seed}", lambda seed=seed: fitted(table, LABELS, seed, EVALUATIONS)) for seed in FITS],
    }
    example = {
        "table": part("example-table", lambda: searched(table, EXAMPLE["evaluations"])),
        "fits": [
            part(
                f"example-fit-{seed}",
                lambda seed=seed: fitted(table, EXAMPLE["labels"], seed, EXAMPLE["evaluations"]),
            )
            for seed in EXAMPLE_FITS
        ],
    }
    tables = {"nasbench201": table, **({"nb_macro": nasbench.load(macro)} if macro else {})}
    intervals = {
        name: {
            str(size): [
                part(
                    f"intervals-{name}-{size}-{split}",
                    lambda one=one, size=size, split=split: coverage(one, size, FIRST_SPLIT + split),
                )
                for split in range(SPLITS)
            ]
            for size in SIZES[name]
        }
        for name, one in tables.items()
    }
    write("fidelity", fidelity_text(found))
    write("example", example_text(example))
    write("intervals", intervals_text(intervals))


def searched(benchmark: Any, evaluations: int) -> dict[str, Any]:
    """Return final regrets, one a search, by what is observed; on a table also as means of all runs judge them."""
    found: dict[str, Any] = {"best": float(benchmark.best("validation_accuracy"))}
    for observe in ("run", "mean"):
        found[observe] = {
            name: card.regrets(benchmark, name, observe, SEARCHES, evaluations=evaluations).tolist()
            for name in card.SEARCHES
        }
    if isinstance(benchmark, nasbench.Table):
        found["all_runs"] = {
            name: [
                benchmark.best("validation_accuracy") - float(value)
                for value in benchmark.means(incumbents_of(benchmark, name, evaluations))
            ]
            for name in card.SEARCHES
        }
    return found


def incumbents_of(benchmark: Any, name: str, evaluations: int) -> NDArray[np.uint8]:
    histories = [card.search_history(benchmark, name, "run", seed, evaluations) for seed in SEARCHES]
    return np.array([history.architectures[history.validation_accuracy.argmax()] for history in histories])


def fitted(table: nasbench.Table, labels: int, seed: int, evaluations: int) -> dict[str, Any]:
    """Return what searches find on a surrogate, with its residuals and without."""
    made = fit(table, train_size=labels, seeds=1, seed=seed)
    with_residuals = SurrogateBenchmark.unsaved(made.surrogate, made.rows.astype(np.int64), table)
    found = {"with": searched(with_residuals, evaluations), "levels": made.score_card["levels"]}
    made.surrogate.residuals_ = None
    without = SurrogateBenchmark.unsaved(made.surrogate, made.rows.astype(np.int64), table)
    return {**found, "without": searched(without, evaluations)}


def coverage(table: nasbench.Table, size: int, split: int) -> dict[str, Any]:
    """Return how often intervals hold, of all that is no label and of the predicted best hundredth.

    ``model`` are those of the model; ``by_level`` are as wide as what held-out labels are off by, of the NEAREST whose
    predictions are next to this one.
    """
    protocol = protocol_of(table)
    labels = np.asarray(table.column(protocol.metric), np.float64)
    there = np.flatnonzero(np.isfinite(labels))
    if protocol.copies == "one":
        there = np.sort(there[np.unique(table.space.key_many(table.architectures[there]), return_index=True)[1]])
    order = np.random.default_rng((split, size)).permutation(there)
    train, test = order[:size], order[size:]
    model = make("default", table.space.name, split, size).fit(table.architectures[train], labels[train])
    predicted, deviation = model.predict(table.architectures[test], return_std=True)
    best = np.argsort(-predicted, kind="stable")[: max(10, len(test) // 100)]
    off = np.abs(labels[test] - predicted)
    held_out = model.ranks_.back(model.held_out_)
    rows = np.argsort(held_out, kind="stable")
    nearest = min(NEAREST, size)
    start = np.clip(held_out[rows].searchsorted(predicted) - nearest // 2, 0, size - nearest)
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(labels[train] - held_out)[rows], nearest)
    ordered = np.sort(windows, axis=1)
    found: dict[str, Any] = {}
    for nominal in NOMINAL:
        rank = min(nearest, int(np.ceil(nominal * (nearest + 1)))) - 1
        for kind, width in (
            ("model", norm.ppf((1 + nominal) / 2) * deviation),
            ("by_level", ordered[start, rank]),
        ):
            inside = off <= width
            found[f"{kind} {nominal}"] = [float(inside.mean()), float(inside[best].mean())]
    return found


# The page.


def fidelity_text(found: dict[str, Any]) -> str:
    rows = {
        "the table, incumbents judged by all runs": [found["table"]["all_runs"]],
        "the table, by runs that the search did not see": [found["table"]["run"]],
        "the table's means, runs drawn anew": [found["redrawn"]["run"]],
        f"surrogates, {len(found['fits'])} fits": [each["with"]["run"] for each in found["fits"]],
        "surrogates without residuals": [each["without"]["run"] for each in found["fits"]],
        "searches see means: the table": [found["table"]["mean"]],
        "searches see means: surrogates": [each["with"]["mean"] for each in found["fits"]],
        "searches see means: surrogates without residuals": [each["without"]["mean"] for each in found["fits"]],
    }
    lines = [
        f"NAS-Bench-201, validation accuracy, {LABELS:,} labels: final regret in percentage points after {EVALUATIONS} "
        f"evaluations, mean of {len(SEARCHES)} searches.",
        "",
        "| | random search | evolution | local search | random / evolution |",
        "|---|---|---|---|---|",
    ]
    for title, each in rows.items():
        means = [100 * np.mean([np.mean(one[name]) for one in each]) for name in card.SEARCHES]
        ratio = f"{means[0] / means[1]:.1f}" if means[1] > 0 else "none"
        lines.append(f"| {title} | {' | '.join(f'{mean:.3f}' for mean in means)} | {ratio} |")
    best = [100 * each[place]["best"] for place in ("with", "without") for each in found["fits"]]
    n = len(found["fits"])
    ratios = [
        np.mean(each["with"]["run"]["random_search"]) / np.mean(each["with"]["run"]["regularized_evolution"])
        for each in found["fits"]
    ]
    lines += [
        "",
        f"The best of the table is {100 * found['table']['best']:.2f}; that of the surrogates "
        f"{min(best[:n]):.2f} to {max(best[:n]):.2f}, without residuals {min(best[n:]):.2f} to {max(best[n:]):.2f}. "
        f"The ratio of single fits, where searches see runs, is {', '.join(f'{ratio:.1f}' for ratio in ratios)}.",
        "",
        "| runs lie apart, percentage points | " + " | ".join(_levels(found["fits"][0]["levels"])) + " |",
        "|---|" + "---|" * len(found["fits"][0]["levels"]),
    ]
    for title, place in (("the table, no labels", "table"), ("surrogates", "surrogate")):
        values = np.array([[level[place] for level in each["levels"]] for each in found["fits"]])
        lines.append(f"| {title} | {' | '.join(f'{100 * value:.2f}' for value in np.sqrt((values**2).mean(axis=0)))} |")
    return "\n".join(lines)


def _levels(levels: list[dict[str, float]]) -> list[str]:
    return [f"{100 * level['from']:.1f} to {100 * level['to']:.1f}" for level in levels]


def example_text(found: dict[str, Any]) -> str:
    lines = [
        f"Final regret in percentage points after {EXAMPLE['evaluations']} evaluations, mean of {len(SEARCHES)} "
        f"searches; {EXAMPLE['labels']} labels:",
        "",
        "| | random search | local search |",
        "|---|---|---|",
    ]
    for title, regrets in (
        *((f"a surrogate, seed {seed}", one["with"]["run"]) for seed, one in enumerate(found["fits"])),
        *((f"without residuals, seed {seed}", one["without"]["run"]) for seed, one in enumerate(found["fits"])),
        ("the table, by all runs", found["table"]["all_runs"]),
        ("the table, by runs that the search did not see", found["table"]["run"]),
    ):
        means = [f"{100 * np.mean(regrets[name]):.3f}" for name in ("random_search", "local_search")]
        lines.append(f"| {title} | {' | '.join(means)} |")
    return "\n".join(lines)


def intervals_text(found: dict[str, Any]) -> str:
    lines = [
        f"Percent inside intervals of nominally 50, 68 and 90 %, means of {SPLITS} splits of their own; all that is no "
        "label, and of it the hundredth that is predicted to be best:",
        "",
        "| | labels | all | predicted best 1 % |",
        "|---|---|---|---|",
    ]
    for kind, title in (("model", "the default"), ("by_level", "by level, tried")):
        for name, sizes in found.items():
            for size, splits in sizes.items():
                means = np.mean([[split[f"{kind} {nominal}"] for nominal in NOMINAL] for split in splits], axis=0)
                cells = [", ".join(f"{100 * value:.0f}" for value in column) for column in means.T]
                lines.append(f"| {title}, {name} | {size} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(block: str, text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    place = re.compile(rf"(?<=<!-- {block} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    assert place.search(page), f"{PAGE}: no block for {block}"
    PAGE.write_text(place.sub(lambda _: text + "\n", page, count=1), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
