"""Ladders and brackets against those of Li et al. 2018, HpBandSter, SMAC3, syne-tune and MF-NAS."""

from __future__ import annotations

import math

import pytest

from baselines.brackets import bracket_sizes, ladder
from nasbench.types import Fidelity

# NAS-Bench-101 records accuracies half-way and at the end of each of its four schedules.
NASBENCH101 = [Fidelity(schedule, epoch) for schedule in (4, 12, 36, 108) for epoch in (schedule // 2, schedule)]
NATS = [Fidelity(schedule, epoch) for schedule in (12, 200) for epoch in range(1, schedule + 1)]


def epochs(*arguments, **settings):
    return [epoch for _, epoch in ladder(*arguments, **settings)]


def test_whole_schedules_are_rungs_as_they_are():
    expected = (Fidelity(4, 4), Fidelity(12, 12), Fidelity(36, 36), Fidelity(108, 108))
    for eta in (2, 3, 4):
        assert ladder(NASBENCH101, eta) == expected
        assert ladder(NASBENCH101[1::2], eta, anchor="first") == expected
    assert ladder(NASBENCH101, 3, first_epoch=5) == expected[1:]
    assert ladder(NATS, 3, schedule="whole") == (Fidelity(12, 12), Fidelity(200, 200))


def test_of_schedules_and_curves_the_curve_of_the_longest_schedule_is_climbed():
    assert {schedule for schedule, _ in ladder(NATS, 3)} == {200}


def test_epochs_counted_from_the_last():
    """HpBandSter and SMAC3: 2.47, 7.41, 22.2, 66.7, 200; of 12 to 200 they never use 12."""
    assert epochs(NATS, 3) == [2, 7, 22, 67, 200]
    assert epochs(NATS, 3, first_epoch=12) == [22, 67, 200]
    assert epochs(NATS, 3, schedule=12) == [1, 4, 12]  # NATS-Bench's BOHB: 1.33, 4, 12


def test_epochs_counted_from_the_first():
    """syne-tune: powers of eta below the last epoch, and the last epoch."""
    assert epochs(NATS, 3, anchor="first") == [1, 3, 9, 27, 81, 200]
    assert epochs(NATS, 4, anchor="first") == [1, 4, 16, 64, 200]
    assert epochs([Fidelity(4, e) for e in (1, 2, 3, 4)], 3, anchor="first") == [1, 3, 4]


def test_mf_nas_halves_at_12_25_50_100_200():
    """list_iepoch of its configs/algo_201.yaml: 200 / 16 = 12.5 is as near to 12 as to 13."""
    assert epochs(NATS, 2, first_epoch=12) == [12, 25, 50, 100, 200]


def test_an_exact_ladder_is_the_same_from_both_ends():
    recorded = [Fidelity(9, e) for e in (1, 3, 9)]
    assert ladder(recorded, 3, anchor="first") == ladder(recorded, 3, anchor="last") == tuple(recorded)
    assert epochs([Fidelity(243, e) for e in range(1, 244)], 3) == [1, 3, 9, 27, 81, 243]  # log(243, 3) < 5 in floats


def test_epochs_that_are_not_recorded_are_replaced_by_the_nearest_one_once():
    recorded = [Fidelity(200, e) for e in (1, 100, 200)]
    assert epochs(recorded, 3) == epochs(recorded, 3, anchor="first") == [1, 100, 200]


@pytest.mark.parametrize(
    ("fidelities", "settings"),
    [
        ([Fidelity(200, 200)], {}),
        ([], {}),
        (NASBENCH101[-2:], {}),  # 54 and 108 are not a factor of 3 apart
        (NATS, {"first_epoch": 100}),
        (NATS, {"first_epoch": 201}),
        (NATS, {"schedule": "whole", "first_epoch": 13}),
    ],
)
def test_one_rung_is_none(fidelities, settings):
    with pytest.raises(ValueError, match=r"needs a benchmark with several fidelities.*schedule/epoch"):
        ladder(fidelities, 3, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eta": 1}, "eta must be a whole number of at least 2, got 1"),
        ({"eta": 2.5}, "eta must be a whole number of at least 2, got 2.5"),
        ({"schedule": 36}, r"schedule must be 'whole' or one of \[12, 200\], got 36"),
        ({"schedule": "halves"}, "schedule must be 'whole' or one of"),
        ({"anchor": "middle"}, "anchor must be 'first' or 'last', got 'middle'"),
    ],
)
def test_refuses_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        ladder(NATS, **{"eta": 3, **settings})


def test_sizes_of_the_brackets_from_4_to_108():
    assert bracket_sizes(4, 3, "paper") == [(27, 9, 3, 1), (12, 4, 1), (6, 2), (4,)]
    assert bracket_sizes(4, 3, "hpbandster") == [(27, 9, 3, 1), (9, 3, 1), (6, 2), (4,)]
    assert bracket_sizes(4, 3, "syne_tune") == [(27, 9, 3, 1), (12, 4, 2), (6, 2), (4,)]


def test_sizes_of_the_brackets_from_1_to_81():
    """By the formulas, in floats; Jamieson's own script for the paper has HpBandSter's."""
    paper, script = [], []
    for s in (4, 3, 2, 1, 0):
        n, m = math.ceil(5 / (s + 1) * 3**s), math.ceil(int(5 * 81 / 81 / (s + 1)) * 3**s)
        paper.append(tuple(math.floor(n * 3.0**-i + 1e-9) for i in range(s + 1)))
        script.append(tuple(math.floor(m * 3.0**-i + 1e-9) for i in range(s + 1)))
    assert bracket_sizes(5, 3, "paper") == paper
    assert bracket_sizes(5, 3, "hpbandster") == script
    assert [sizes[0] for sizes in paper] == [81, 34, 15, 8, 5]
    assert [sizes[0] for sizes in script] == [81, 27, 9, 6, 5]


def test_refuses_sizes_of_nobody():
    with pytest.raises(ValueError, match="sizes must be 'paper', 'hpbandster' or 'syne_tune', got 'mine'"):
        bracket_sizes(4, 3, "mine")
