"""The picture: the same bytes each time, lines that differ without colour, and axes that say what they show."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from nasbench.analysis.plot import draw, line_of

POSITIONS = [1.0, 2.0, 5.0, 10.0, 50.0, 100.0]
CURVES = ("mean", "mean_low", "mean_high", "quartile_1", "median", "quartile_3")


def make_summary(algorithms: int = 3, *, unit: str = "evaluations", law: bool = True) -> dict[str, Any]:
    """What the picture needs of a summary: regrets fall from some percent to some thousandths."""

    def curve(i: int, j: int) -> list[float]:
        return [(0.08 + 0.01 * i) * (1 + 0.1 * j) / (1 + position) for position in POSITIONS]

    return {
        "benchmark": {"name": "made (cifar10)", "digest": "0", "optimum": 0.9},
        "budget": {"amount": 100.0, "unit": unit},
        "runs": 1234,
        "workers": 1,
        "positions": POSITIONS,
        "algorithms": {
            f"algorithm_{i}": {"curve": {name: curve(i, j) for j, name in enumerate(CURVES)}} for i in range(algorithms)
        },
        "random_search_law": {"mean": [0.1 / p for p in POSITIONS], "standard_deviation": POSITIONS} if law else None,
    }


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be saved; their files are empty, since rendering takes most of the time."""
    saved: list[Figure] = []

    def savefig(self: Figure, path: str, **options: Any) -> None:
        saved.append(self)
        Path(path).touch()

    monkeypatch.setattr(Figure, "savefig", savefig)
    return saved


def lines(figure: Figure) -> dict[str, Any]:
    found = {str(line.get_label()): line for line in figure.axes[0].lines}
    return {label: line for label, line in found.items() if not label.startswith("_")}  # the line at zero has no name


@pytest.mark.parametrize(("center", "x"), [("mean", "log"), ("median", "linear")])
def test_the_same_numbers_give_the_same_bytes(tmp_path: Path, center: Any, x: Any) -> None:
    for name in ("a", "b"):
        draw(make_summary(), [tmp_path / f"{name}.png", tmp_path / f"{name}.pdf"], center=center, x=x)
    png, pdf = (tmp_path / "a.png").read_bytes(), (tmp_path / "a.pdf").read_bytes()
    assert (tmp_path / "b.png").read_bytes() == png
    assert (tmp_path / "b.pdf").read_bytes() == pdf
    # Portable Network Graphics (second edition), 5.2, and 11.3.4.3 for what a picture may say of its maker.
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert b"Software" not in png
    assert pdf.startswith(b"%PDF-")
    assert b"Date" not in pdf
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.pdf", "b.png", "b.pdf"}
    picture = matplotlib.image.imread(tmp_path / "a.png")
    assert picture.shape[0] >= 600, "three inches of a paper at 200 dots an inch"
    assert np.unique(picture.reshape(-1, picture.shape[2]), axis=0).shape[0] > 100


def test_other_numbers_and_other_choices_give_other_pictures(tmp_path: Path) -> None:
    changed = make_summary()
    changed["algorithms"]["algorithm_1"]["curve"]["mean"][2] *= 1.5
    for name, summary, options in (
        ("a", make_summary(), {}),
        ("b", changed, {}),
        ("c", make_summary(), {"center": "median"}),
        ("d", make_summary(), {"x": "linear"}),
    ):
        draw(summary, [tmp_path / f"{name}.png"], **options)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 4


def test_lines_differ_without_colour(tmp_path: Path, figures: list[Figure]) -> None:
    """Fourteen algorithms: no marker comes twice, and where a colour does, the second has open markers."""
    draw(make_summary(14, law=False), [tmp_path / "c.png"])
    drawn = list(lines(figures[0]).values())[:14]
    assert len({line.get_marker() for line in drawn}) == 14
    looks = {(to_rgba(line.get_color()), to_rgba(line.get_markerfacecolor())) for line in drawn}
    assert len(looks) == 14
    assert len({line.get_markevery() for line in drawn[:6]}) == 6


def test_no_two_of_many_lines_look_the_same() -> None:
    assert len({tuple(map(str, line_of(i).values())) for i in range(84)}) == 84


def test_the_legend_shows_dashes_and_names_as_they_are(tmp_path: Path, figures: list[Figure]) -> None:
    """Dash patterns repeat within the handle, beside the marker; underscores of arguments stay."""
    summary = make_summary(1, law=False)
    summary["algorithms"] = {"a_b(c_d=1)": summary["algorithms"]["algorithm_0"]}
    draw(summary, [tmp_path / "c.png"])
    legend = figures[0].axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a_b(c_d=1)"]
    assert legend.handlelength == 4


def test_colours_are_those_that_the_colour_blind_tell_apart(tmp_path: Path, figures: list[Figure]) -> None:
    """M. Okabe & K. Ito, "Color Universal Design" (2008), figure 16: all but yellow."""
    draw(make_summary(7, law=False), [tmp_path / "c.png"])
    okabe_ito = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
    assert {to_rgba(line.get_color()) for line in lines(figures[0]).values()} == {to_rgba(c) for c in okabe_ito}


@pytest.mark.parametrize(
    ("center", "low", "high"), [("mean", "mean_low", "mean_high"), ("median", "quartile_1", "quartile_3")]
)
def test_what_is_drawn_is_the_summary_in_percentage_points(
    tmp_path: Path, figures: list[Figure], center: Any, low: str, high: str
) -> None:
    summary = make_summary()
    before = copy.deepcopy(summary)
    draw(summary, [tmp_path / "c.png", tmp_path / "c.pdf"], center=center)
    assert summary == before
    axes = figures[0].axes[0]
    drawn = lines(figures[0])
    for (label, found), band in zip(summary["algorithms"].items(), axes.collections, strict=True):
        line = drawn.pop(label)
        assert line.get_xdata() == pytest.approx(POSITIONS)
        assert line.get_ydata() == pytest.approx([100 * y for y in found["curve"][center]])
        corners = band.get_paths()[0].vertices
        assert corners[:, 1].min() == pytest.approx(100 * min(found["curve"][low]))
        assert corners[:, 1].max() == pytest.approx(100 * max(found["curve"][high]))
    # The law is one of means: beside medians it would mislead.
    assert list(drawn) == (["random search, exact law"] if center == "mean" else [])
    for law in drawn.values():
        assert law.get_ydata() == pytest.approx([100 * y for y in summary["random_search_law"]["mean"]])


@pytest.mark.parametrize(
    ("unit", "label"),
    [
        ("evaluations", "evaluations, repeats counted"),
        ("seconds", "simulated hours"),
        ("epochs", "training epochs"),
    ],
)
def test_axes_say_what_they_show_in_which_unit(tmp_path: Path, figures: list[Figure], unit: str, label: str) -> None:
    draw(make_summary(unit=unit, law=unit == "evaluations"), [tmp_path / "c.png"])
    axes = figures[0].axes[0]
    assert axes.get_xlabel() == label
    assert axes.get_ylabel() == "mean validation regret (percentage points)"
    assert axes.get_title() == "made (cifar10): 1,234 runs; bands: 95 % interval of the mean"
    legend = axes.get_legend()
    assert legend is not None
    names = [f"algorithm_{i}" for i in range(3)] + ["random search, exact law"] * (unit == "evaluations")
    assert [text.get_text() for text in legend.get_texts()] == names
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "symlog")
    assert axes.get_xlim() == pytest.approx((1.0, 100.0) if unit != "seconds" else (1 / 3600, 100 / 3600))


def test_median_and_linear(tmp_path: Path, figures: list[Figure]) -> None:
    draw(make_summary(), [tmp_path / "c.png"], center="median", x="linear")
    axes = figures[0].axes[0]
    assert axes.get_xscale() == "linear"
    assert axes.get_ylabel() == "median validation regret (percentage points)"
    assert axes.get_title().endswith("bands: middle half of the runs")


def test_zero_and_negative_regrets_stay_in_sight(tmp_path: Path, figures: list[Figure]) -> None:
    """Zero has no logarithm, but a place: the axis is linear near it."""
    summary = make_summary()
    for name in CURVES:
        summary["algorithms"]["algorithm_1"]["curve"][name] = [0.05, 0.02, 0.01, 0.0, 0.0, -0.0002]
    draw(summary, [tmp_path / "c.png"])
    axes = figures[0].axes[0]
    low, high = axes.get_ylim()
    assert low < -0.02 < 5 < high
    assert 0.0 in axes.get_yticks()
    pixels = axes.transData.transform([(1, 0.0), (1, 0.1), (1, 1.0)])[:, 1]
    assert pixels[0] < pixels[1] < pixels[2]
    figures[0].draw_without_rendering()


def test_without_intervals_there_are_no_bands(tmp_path: Path, figures: list[Figure]) -> None:
    summary = make_summary()
    for found in summary["algorithms"].values():
        found["curve"] |= dict.fromkeys(("mean_low", "mean_high"), [None] * len(POSITIONS))
    draw(summary, [tmp_path / "c.png"])
    assert figures[0].axes[0].get_title().endswith("too few for an interval of the mean")
    figures[0].draw_without_rendering()


@pytest.mark.parametrize("x", ["log", "linear"])
def test_a_budget_of_one_evaluation_can_be_drawn(tmp_path: Path, figures: list[Figure], x: Any) -> None:
    summary = make_summary()
    for values in [*(f["curve"] for f in summary["algorithms"].values()), summary["random_search_law"]]:
        for name in values:
            values[name] = values[name][:1]
    draw(summary | {"positions": [1.0]}, [tmp_path / "c.png"], x=x)
    figures[0].draw_without_rendering()


def test_a_format_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jpgg"):
        draw(make_summary(), [tmp_path / "c.jpgg"])
    assert not list(tmp_path.iterdir())
