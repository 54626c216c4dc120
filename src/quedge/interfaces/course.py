"""What determines a training: only the same course can be gone on with."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from quedge.interfaces.lydroo_settings import settings_object
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.model.security import SUITE_KEYS
from quedge.policy.lydroo import Lydroo


class Course(NamedTuple):
    """A training's course in plain values.

    Attributes:
        policy: the policy's name.
        settings: the agent's settings.
        scenario: the scenario's keys; the constants of its PQC module as they follow from its suite.
        seed: seed of the random streams.
        frames: number of frames of the whole training.
        world: digest of its channel gains and arrivals.
    """

    policy: str
    settings: dict[str, Any]
    scenario: dict[str, Any]
    seed: int
    frames: int
    world: str

    def difference(self, other: Course) -> str | None:
        """The first thing in which another course differs from this one, in words; None where they are the same."""
        for name, here, there in zip(self._fields, self, other, strict=True):
            if name == "world":
                continue  # it follows from the others, but for recorded channels and arrivals
            if isinstance(here, dict) and isinstance(there, dict):
                for key in dict.fromkeys((*here, *there)):
                    if here.get(key) != there.get(key):
                        return f"{key} = {here.get(key)}, not {there.get(key)}"
            elif here != there:
                return f"{name} = {here}, not {there}"
        return None if self.world == other.world else "other channel gains or arrivals"


def course_of(policy: str, settings: Lydroo, scenario: Scenario, seed: int, frames: int, world: str) -> Course:
    """The course of a training, as a file gives it back."""
    keys = {name: getattr(scenario, name) for name in (*SUITE_KEYS, *PARAMETERS)} | scenario.derived  # causes first
    plain = json.loads(json.dumps({"settings": settings_object(settings), "scenario": keys}))
    return Course(policy, plain["settings"], plain["scenario"], seed, frames, world)
