"""What determines a training, and what is said where two trainings differ."""

from __future__ import annotations

from typing import Any

import pytest

from quedge.files.agent import Course, course_of
from quedge.model.scenario import Scenario
from quedge.policy.lydroo import Lydroo

COURSE = course_of("lydroo-noma", Lydroo(), Scenario(devices=2, weight=(1.0, 2.0)), 9, 100, "a1")


def test_a_course_equals_itself_and_the_same_one_made_anew() -> None:
    again = course_of("lydroo-noma", Lydroo(), Scenario(devices=2, weight=[1.0, 2.0]), 9, 100, "a1")
    assert COURSE.difference(again) is None


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (COURSE._replace(seed=3, world="b2"), "seed = 9, not 3"),
        (COURSE._replace(frames=50, world="b2"), "frames = 100, not 50"),
        (COURSE._replace(policy="lydroo-sca"), "policy = lydroo-noma, not lydroo-sca"),
        (COURSE._replace(settings=COURSE.settings | {"batch": 77}), "batch = 32, not 77"),
        (COURSE._replace(scenario=COURSE.scenario | {"nu": 7.0}, world="b2"), "nu = 60.0, not 7.0"),
        (COURSE._replace(scenario=COURSE.scenario | {"new": 1}), "new = None, not 1"),
        (COURSE._replace(world="b2"), "other channel gains or arrivals"),
    ],
)
def test_another_course_is_told_apart_by_what_differs(other: Any, difference: str) -> None:
    assert isinstance(other, Course)
    assert COURSE.difference(other) == difference
    assert other.difference(COURSE) is not None
