"""Write the tables of docs/surrogates.md from what was measured: ``python benchmarks/surrogate_page.py FOLDER ...``.

Each folder is the ``--out`` of one ``nasbench evaluate-surrogates``; the search space of its table, and whether
models had inputs, name the block. What takes hours may be measured in parts: folders of one block that differ in
``--sizes`` alone become one table.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from statistics import mean
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "surrogates.md"
# By number of architectures: which table a folder is of, and what should be reached at each size.
SPACES = {
    15_625: ("nb201", {"78": 0.84, "156": 0.87, "469": 0.91, "781": 0.922, "1563": 0.932}),
    3_969: ("nb_macro", {"50": 0.87, "100": 0.895, "500": 0.932, "1000": 0.94}),
    423_624: ("nb101", {"100": 0.75, "172": 0.785, "424": 0.825, "4236": 0.885}),
    301: ("conv5", {}),
}


def main(folders: list[str]) -> None:
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        part, timings = (
            json.loads((Path(folder) / f"{name}.json").read_text(encoding="utf-8"))
            for name in ("evaluation", "timings")
        )
        for model, by_size in timings.items():
            for size, seconds in by_size.items():
                means = {name: mean(values) for name, values in seconds.items()}
                part["results"][model][size]["mean"] |= means
        block = SPACES[part["architectures"]][0] + ("_inputs" if part["inputs"] else "")
        found[block] = joined(found[block], part) if block in found else part
    page = PAGE.read_text(encoding="utf-8")
    for block, evaluation in found.items():
        place = re.compile(rf"(?<=<!-- {block} -->\n).*?(?=<!-- end -->)", re.DOTALL)
        assert place.search(page), f"{PAGE}: no block for {block}"
        table = text(evaluation, SPACES[evaluation["architectures"]][1]) + "\n"
        page = place.sub(lambda _, table=table: table, page, count=1)
    PAGE.write_text(page, encoding="utf-8")


def joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return two evaluations of the same models and protocol as one, sizes in rising order."""
    sizes = first["protocol"]["sizes"], second["protocol"]["sizes"]
    both = [
        {
            **{name: part[name] for name in ("digest", "inputs")},
            **part["protocol"],
            "sizes": None,
            "models": [*part["results"]],
        }
        for part in (first, second)
    ]
    assert both[0] == both[1], "two evaluations that differ in more than their sizes"
    assert not set(sizes[0]) & set(sizes[1]), "two evaluations of the same sizes"
    results = {name: {**by_size, **second["results"][name]} for name, by_size in first["results"].items()}
    return {**first, "protocol": {**first["protocol"], "sizes": sorted(sizes[0] + sizes[1])}, "results": results}


def text(found: dict[str, Any], targets: dict[str, float]) -> str:
    protocol, results = found["protocol"], found["results"]
    sizes = [str(size) for size in protocol["sizes"]]
    lines = [
        f"{found['table']}, {protocol['metric']} of {found['architectures']:,} architectures; Kendall's tau, mean and "
        f"standard error of {protocol['splits']} splits; knowing the truth: {found['ceiling']:.3f}.",
        "",
        f"| labels | {' | '.join(sizes)} |",
        f"|---|{'---|' * len(sizes)}",
    ]
    if targets and not found["inputs"]:
        lines.append(f"| to reach | {' | '.join(f'{targets[size]:.3f}' for size in sizes)} |")
    for model, by_size in results.items():
        cells = [f"{by_size[s]['mean']['kendall']:.3f} ± {by_size[s]['error']['kendall']:.3f}" for s in sizes]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    if found["inputs"]:
        return "\n".join([*lines, *costs(results, sizes)])
    first = next(iter(results))
    for name, title, scale, digits in (
        ("kendall_top_half", "tau in the top half", 1, 3),
        ("kendall_top_1_percent", "tau in the top 1 %", 1, 3),
        ("regret", "regret of the predicted best, percentage points", 100, 2),
        ("coverage_90", "inside the 90 % interval, percent", 100, 1),
        ("coverage_50", "inside the 50 % interval, percent", 100, 1),
        ("fit_seconds", "seconds to fit", 1, 1),
        ("predict_seconds", "seconds to predict all others", 1, 1),
    ):
        cells = [f"{scale * results[first][s]['mean'][name]:.{digits}f}" for s in sizes]
        lines.append(f"| {first}: {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def costs(results: dict[str, Any], sizes: list[str]) -> list[str]:
    """Say for each model with inputs what they bring, and what they and the labels take to train."""
    lines = []
    for model in [model for model in results if model.endswith(", inputs")]:
        without, given = ([results[name][s]["mean"] for s in sizes] for name in (model.removesuffix(", inputs"), model))
        gains = [f"{b['kendall'] - a['kendall']:+.3f}" for a, b in zip(without, given, strict=True)]
        lines.append(f"| {model}: gain in tau | {' | '.join(gains)} |")
    for name, title in (("label_seconds", "labels"), ("input_seconds", "inputs of all architectures")):
        lines.append(f"| hours of training, {title} | {' | '.join(f'{mean[name] / 3600:,.0f}' for mean in given)} |")
    return lines


if __name__ == "__main__":
    main(sys.argv[1:])
