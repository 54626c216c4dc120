"""The closed form of local computing against a fine grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario
from quedge.model.terms import frame_terms
from quedge.model.uplink import best_local_frequency
from tests import oracle
from tests.strategies import frames


@given(frame=frames())
def test_the_closed_form_is_not_beaten_on_a_fine_grid(frame: Frame) -> None:
    cell = frame.cell
    terms = frame_terms(*frame)
    for k, i in enumerate(terms.device):
        value = oracle.rate_weights(frame)[i]
        price = cell.nu * frame.energy_queue[i]
        highest = min(cell.max_frequency_hz[i], cell.cycles_per_mbit[i] * frame.data_queue_mbit[i] / cell.frame_s)
        frequency = np.linspace(0.0, highest, 4001)
        objective = value * frequency / cell.cycles_per_mbit[i] - price * cell.energy_coefficient[i] * frequency**3
        size = value * highest / cell.cycles_per_mbit[i]
        assert terms.local_value[k] >= objective.max() - 1e-12 * size
        assert terms.local_value[k] <= objective.max() + 1e-3 * size


@given(frame=frames())
def test_the_closed_form_equals_a_search(frame: Frame) -> None:
    local, nothing = np.zeros(frame.cell.devices, dtype=np.bool_), np.zeros(frame.cell.devices)
    best = oracle.evaluate(frame, local, nothing, oracle.best_frequencies(frame))
    terms = frame_terms(*frame)
    assert terms.local_value.sum() == pytest.approx(best.objective, rel=1e-9, abs=1e-300)


def test_each_of_the_three_limits_decides_in_turn() -> None:
    # φ = 1e8 cycles/Mbit, κ = 1e-26, T = 1 s, f_max = 0.3 GHz, V c = 40 Mbit, ν = 60.
    cell = cell_of(Scenario(devices=1, weight=2.0))
    golden = {
        (10.0, 0.0): 3e8,  # no price on energy and a full queue: f_max
        (2.0, 0.0): 2e8,  # 2 Mbit in the queue: φ Q / T
        (10.0, 5.0): (50.0 / (3.0 * 1e8 * 1e-26 * 300.0)) ** 0.5,  # sqrt(50 / 9e-16) = 2.357e8
    }
    for (queue, energy), frequency in golden.items():
        assert best_local_frequency(cell, 0, queue, energy) == pytest.approx(frequency)


def test_a_frame_of_half_a_second_halves_what_a_full_clock_computes() -> None:
    cell = cell_of(Scenario(devices=1, frame_s=0.5))
    assert best_local_frequency(cell, 0, 1.0, 0.0) == pytest.approx(2e8)  # 1 Mbit in 0.5 s
