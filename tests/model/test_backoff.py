"""Planned gains: above the true ones as often as is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from quedge.model.backoff import error_quantile, interference_margin, planned_gain_share
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.simulation.run import simulate
from quedge.simulation.world import draw_world


@pytest.mark.parametrize("error", [1e-6, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("probability", [0.02, 0.5, 0.95])
def test_the_quantile_is_that_of_drawn_errors(error: float, probability: float) -> None:
    rng = np.random.default_rng(3)
    z = (rng.standard_normal(200_000) + 1j * rng.standard_normal(200_000)) / np.sqrt(2.0)
    below = np.mean(np.abs(1.0 + np.sqrt(error) * z) ** 2 <= error_quantile(error, probability))
    assert below == pytest.approx(probability, abs=5.0 * np.sqrt(probability * (1.0 - probability) / 200_000))


@pytest.mark.parametrize("asked", [0.3, 0.05])
def test_true_gains_fall_short_of_planned_ones_as_often_as_asked(asked: float) -> None:
    scenario = Scenario(devices=4, estimate_error=(0.0, 0.01, 0.1, 0.5), outage_probability=asked)
    world = draw_world(scenario, 20_000, seed=2)
    short = np.mean(world.channel_gain < world.estimated_gain * (1.0 - 1e-12), axis=0)
    half = 0.5 * asked  # the other half is for those that disturb
    np.testing.assert_allclose(short, [0.0, half, half, half], atol=5.0 * np.sqrt(half / 20_000))
    high = np.mean(world.channel_gain > world.estimated_gain * interference_margin(scenario) * (1.0 + 1e-12), axis=0)
    np.testing.assert_allclose(high, [0.0, half, half, half], atol=5.0 * np.sqrt(half / 20_000))
    assert planned_gain_share(scenario)[0] == 1.0
    told = simulate(scenario, BestSingle(), 2000, seed=1).summary()
    assert told.outage_ratio <= 0.7 * asked  # one offloader, whom nobody disturbs


def test_without_an_outage_probability_nothing_changes() -> None:
    plain, same = Scenario(estimate_error=0.1), Scenario(outage_probability=0.1)
    np.testing.assert_array_equal(planned_gain_share(plain), np.ones(10))
    np.testing.assert_array_equal(planned_gain_share(same), np.ones(10))
