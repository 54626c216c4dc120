"""What is said of runs that are shorter than they are meant to be."""

from __future__ import annotations

import dataclasses

import pytest

from quedge.experiments.catalogue import EXPERIMENTS
from quedge.experiments.experiment import FULL, QUICK, Size
from quedge.experiments.publication import shortened


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS.keys())
def test_a_full_run_is_not_shortened_and_a_longer_one_neither(experiment: object) -> None:
    for size in (FULL, Size(20_000, 10)):
        assert shortened(experiment, size) == ""  # type: ignore[arg-type]


UNSETTLED, ALONE = "queues may not have settled", "one seed gives no interval"
BOTH = f"{UNSETTLED}, and {ALONE}"


@pytest.mark.parametrize(
    ("name", "size", "told"),
    [
        ("fig7", QUICK, f"2,000 frames instead of the paper's 10,000 and one seed instead of 5; {BOTH}."),
        ("fig7", Size(10_000, 2), "2 seeds instead of 5."),
        ("fig7", Size(500, 5), f"500 frames instead of the paper's 10,000; {UNSETTLED}."),
        ("beyond-ppo", QUICK, f"2,000 frames instead of 10,000 and one seed instead of 3; {BOTH}."),
        ("beyond-devices", Size(500, 5), f"500 frames instead of 1,000 to 2,000; {UNSETTLED}."),
    ],
)  # fmt: skip
def test_the_actual_sizes_are_told(name: str, size: Size, told: str) -> None:
    assert shortened(EXPERIMENTS[name], size) == f"Shortened: {told}"


def test_what_is_as_short_anyway_is_not_shortened() -> None:
    assert shortened(EXPERIMENTS["fig6"], QUICK) == ""


def test_a_sweep_is_as_long_as_its_user_says() -> None:
    assert shortened(dataclasses.replace(EXPERIMENTS["fig7"], full=None), QUICK) == ""
