"""Queue recursions by hand-laid numbers."""

from __future__ import annotations

import numpy as np
import pytest

from quedge.model.cell import cell_of
from quedge.model.scenario import Scenario
from quedge.model.uplink import advance_queues, frame_objective


def advanced(scenario: Scenario, queue: float, energy: float, rate: float, power: float, arrival: float) -> tuple:
    values = [np.array([value]) for value in (queue, energy, rate, power, arrival)]
    advance_queues(cell_of(scenario), *values)
    return float(values[0][0]), float(values[1][0])


@pytest.mark.parametrize(
    ("queue", "energy", "rate", "power", "arrival", "next_queue", "next_energy"),
    [
        (5.0, 1.0, 2.0, 0.10, 3.0, 6.0, 2.2),  # 5 − 2 + 3; 1 + 60 (0.10 − 0.08)
        (5.0, 1.0, 5.0, 0.08, 0.0, 0.0, 1.0),  # all sent, nothing new; power on budget leaves Y alone
        (5.0, 1.0, 0.0, 0.00, 2.5, 7.5, 0.0),  # idle: 1 + 60 (0 − 0.08) = −3.8 is cut at zero
        (0.0, 0.0, 0.0, 0.09, 4.0, 4.0, 0.6),  # from empty queues
        (1.0, 0.0, 1.0 + 1e-9, 0.08, 0.0, 0.0, 0.0),  # rounding beyond the queue never makes it negative
    ],
)
def test_queues_advance_as_laid_by_hand(
    queue: float, energy: float, rate: float, power: float, arrival: float, next_queue: float, next_energy: float
) -> None:
    after = advanced(Scenario(devices=1), queue, energy, rate, power, arrival)
    assert after == pytest.approx((next_queue, next_energy), rel=1e-12, abs=1e-12)


def test_a_frame_of_half_a_second_sends_half_a_second_s_rate() -> None:
    # 5 Mbit − 2 Mbit/s · 0.5 s + 3 Mbit = 7 Mbit; 1 + 60 √0.5 (0.10 − 0.08) = 1.848528: ν goes with the length's root
    after = advanced(Scenario(devices=1, frame_s=0.5), 5.0, 1.0, 2.0, 0.10, 3.0)
    assert after == pytest.approx((7.0, 1.848528137423857))


def test_three_frames_in_a_row_as_laid_by_hand() -> None:
    cell = cell_of(Scenario(devices=2, nu=10.0, power_budget_w=[0.08, 0.05]))
    queue, energy = np.zeros(2), np.zeros(2)
    for rate, power, arrival in (
        ([0.0, 0.0], [0.0, 0.0], [3.0, 1.0]),  # Q = (3, 1), Y = (0, 0)
        ([2.0, 1.0], [0.1, 0.15], [0.0, 4.0]),  # Q = (1, 4), Y = (0.2, 1.0)
        ([1.0, 0.5], [0.07, 0.05], [5.0, 0.0]),  # Q = (5, 3.5), Y = (0.1, 1.0)
    ):
        advance_queues(cell, queue, energy, np.array(rate), np.array(power), np.array(arrival))
    np.testing.assert_allclose(queue, [5.0, 3.5])
    np.testing.assert_allclose(energy, [0.1, 1.0])


def test_the_objective_of_two_devices_as_laid_by_hand() -> None:
    # (10 + 20 · 1.5) · 2 − 60 · 1 · 0.1 = 74 and (4 + 20) · 0.5 − 60 · 3 · 0.05 = 3, eq. (17)
    cell = cell_of(Scenario(devices=2))
    given = [10.0, 4.0], [1.0, 3.0], [False, True], [2.0, 0.5], [0.1, 0.05]
    assert frame_objective(cell, *(np.array(x) for x in given)) == pytest.approx(77.0)
    with_server = cell._replace(server_weight=np.array([5.0, 6.0]))  # only the second offloads: 6 · 0.5 less
    assert frame_objective(with_server, *(np.array(x) for x in given)) == pytest.approx(74.0)
