"""What determines a training, and what is said where two trainings differ."""

from __future__ import annotations

from typing import Any

import pytest

from quedge.files.agent import TrainingConfig, training_config
from quedge.model.scenario import Scenario
from quedge.policy.lydroo import Lydroo

CONFIG = training_config("lydroo-noma", Lydroo(), Scenario(devices=2, weight=(1.0, 2.0)), 9, 100, "a1")


def test_a_training_equals_itself_and_the_same_one_made_anew() -> None:
    again = training_config("lydroo-noma", Lydroo(), Scenario(devices=2, weight=[1.0, 2.0]), 9, 100, "a1")
    assert CONFIG.difference(again) is None


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (CONFIG._replace(seed=3, world="b2"), "seed = 9, not 3"),
        (CONFIG._replace(frames=50, world="b2"), "frames = 100, not 50"),
        (CONFIG._replace(policy="lydroo-sca"), "policy = lydroo-noma, not lydroo-sca"),
        (CONFIG._replace(settings=CONFIG.settings | {"batch": 77}), "batch = 32, not 77"),
        (CONFIG._replace(scenario=CONFIG.scenario | {"nu": 7.0}, world="b2"), "nu = 60.0, not 7.0"),
        (CONFIG._replace(scenario=CONFIG.scenario | {"new": 1}), "new = None, not 1"),
        (CONFIG._replace(world="b2"), "other channel gains or arrivals"),
    ],
)
def test_another_training_is_told_apart_by_what_differs(other: Any, difference: str) -> None:
    assert isinstance(other, TrainingConfig)
    assert CONFIG.difference(other) == difference
    assert other.difference(CONFIG) is not None
