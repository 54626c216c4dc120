from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest

from quedge.experiments.figures.delays import draw_delays
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.policy.policy import Policy
from quedge.simulation.measures import outline_of
from quedge.simulation.run import simulate


def drawn(scenario: Scenario, frames: int, **policies: Policy) -> np.ndarray:
    target = io.BytesIO()
    draw_delays({name: outline_of(simulate(scenario, policy, frames)) for name, policy in policies.items()}, target)
    target.seek(0)
    return matplotlib.image.imread(target, format="png")


@pytest.mark.parametrize("deadline_s", [None, 3.0, (2.0, 3.0)], ids=str)
def test_delays_are_drawn_with_and_without_a_deadline(deadline_s: float | tuple[float, float] | None) -> None:
    image = drawn(Scenario(devices=2, deadline_s=deadline_s), 400, single=BestSingle(), local=AllLocal())
    assert image[..., :3].min() < 0.3
    assert image[0, 0].min() == 1.0


@pytest.mark.parametrize("frames", [1, 2])
def test_a_run_of_few_frames_or_without_arrivals_can_be_drawn(frames: int) -> None:
    assert drawn(Scenario(devices=1, arrival_rate_mbps=0.0), frames, local=AllLocal()).size > 0
    assert drawn(Scenario(devices=1), frames, local=AllLocal()).size > 0
