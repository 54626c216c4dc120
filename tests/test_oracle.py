"""The oracle must itself be right: dense search over powers, with nothing but eqs. (1)-(6), finds nothing better."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import differential_evolution

from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario
from tests import oracle


def random_frame(devices: int, seed: int) -> Frame:
    """A frame in which powers, queues and energy all matter."""
    rng = np.random.default_rng(seed)
    scenario = Scenario(devices=devices, pqc_power_w=float(rng.choice([0.0, 0.05])), payload_factor=rng.uniform(0.5, 1))
    return Frame(
        cell_of(scenario),
        10.0 ** rng.uniform(-13, -9, devices),
        rng.exponential(8.0, devices),
        rng.exponential(6.0, devices) * rng.integers(0, 2, devices),
    )


def powers_of_shares(frame: Frame, offload: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Powers that are given shares of the highest that power and queue allow, from the last decoded on."""
    cell, power = frame.cell, np.zeros(frame.cell.devices)
    for i in np.argsort(frame.channel_gain):
        if offload[i]:
            received = sum(power[j] * frame.channel_gain[j] for j in oracle.decoded_after(frame.channel_gain, i))
            most_bits = frame.data_queue_mbit[i] / (cell.uplink_mbps[i] * cell.frame_s)
            queue_w = np.expm1(min(most_bits, 500.0) * np.log(2.0)) * (cell.noise_w + received) / frame.channel_gain[i]
            power[i] = share[i] * min(cell.max_transmit_power_w[i], queue_w)
    return power


@pytest.mark.parametrize("seed", range(6))
def test_best_powers_are_not_beaten_by_a_dense_grid_of_two_devices(seed: int) -> None:
    frame = random_frame(2, seed)
    nothing, both = np.zeros(2), np.ones(2, dtype=np.bool_)
    best = oracle.evaluate(frame, both, oracle.best_powers(frame, both), nothing).objective
    shares = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 60)])
    dense = max(
        oracle.evaluate(frame, both, powers_of_shares(frame, both, np.array(share)), nothing).objective
        for share in itertools.product(shares, repeat=2)
    )
    assert dense <= best + 1e-9 * abs(best)
    assert dense >= best - 0.02 * abs(best)  # and the grid comes near, so the two solve the same problem


@pytest.mark.parametrize(("devices", "seed"), [(2, 10), (2, 11), (3, 12), (3, 13), (3, 14), (4, 15)])
def test_best_powers_equal_a_global_search_over_powers(devices: int, seed: int) -> None:
    frame = random_frame(devices, seed)
    nothing, everyone = np.zeros(devices), np.ones(devices, dtype=np.bool_)
    best = oracle.evaluate(frame, everyone, oracle.best_powers(frame, everyone), nothing).objective

    def loss(share: np.ndarray) -> float:
        return -oracle.evaluate(frame, everyone, powers_of_shares(frame, everyone, share), nothing).objective

    found = differential_evolution(loss, [(0.0, 1.0)] * devices, seed=seed, tol=1e-10, maxiter=120, popsize=12)
    assert -found.fun <= best + 1e-9 * abs(best)
    assert -found.fun >= best - 1e-4 * abs(best)


@pytest.mark.parametrize("seed", range(20, 30))
def test_best_powers_keep_power_and_queue_limits(seed: int) -> None:
    frame = random_frame(6, seed)
    everyone = np.ones(6, dtype=np.bool_)
    power = oracle.best_powers(frame, everyone)
    charged = oracle.evaluate(frame, everyone, power, np.zeros(6))
    assert (power >= 0.0).all()
    assert (power <= frame.cell.max_transmit_power_w).all()
    assert (charged.rate_mbps * frame.cell.frame_s <= frame.data_queue_mbit + 1e-9).all()


def test_best_frequencies_are_not_beaten_by_a_dense_grid() -> None:
    frame = random_frame(50, 40)
    local = np.zeros(50, dtype=np.bool_)
    best = oracle.evaluate(frame, local, np.zeros(50), oracle.best_frequencies(frame)).objective
    cell = frame.cell
    highest = np.minimum(cell.max_frequency_hz, cell.cycles_per_mbit * frame.data_queue_mbit / cell.frame_s)
    frequency = np.linspace(0.0, 1.0, 5001)[:, np.newaxis] * highest
    value = oracle.rate_weights(frame)
    price = cell.nu * frame.energy_queue
    dense = np.max(
        value * frequency / cell.cycles_per_mbit - price * cell.energy_coefficient * frequency**3, axis=0
    ).sum()
    assert dense <= best * (1.0 + 1e-12)
    assert dense >= best * (1.0 - 1e-6)
