"""What an offloader's CPU loses to its uplink, against a search over its rates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario
from quedge.model.split import BEND, local_loss, loss_slope
from quedge.model.terms import Terms, frame_terms, own_best_level, step_objective
from tests.frames import drawn_frame, plain


def partial_frame(devices: int, seed: int, **keys: object) -> Frame:
    return drawn_frame(devices, seed, offloading="partial", **keys)


def best_local_part(frame: Frame, i: int, sent: float) -> float:
    """The largest a l − b κ φ³ l³ over what is left of the queue, by a fine search."""
    cell = frame.cell
    value = frame.data_queue_mbit[i] + cell.v * cell.weight[i]
    most = min(cell.max_frequency_hz[i] / cell.cycles_per_mbit[i], frame.data_queue_mbit[i] / cell.frame_s - sent)
    rate = np.linspace(0.0, max(most, 0.0), 20_001)
    power = cell.energy_coefficient[i] * (rate * cell.cycles_per_mbit[i]) ** 3
    return float(np.max(value * rate - cell.nu * frame.energy_queue[i] * power))


@pytest.mark.parametrize("seed", range(6))
def test_the_loss_is_what_the_best_local_part_falls_by(seed: int) -> None:
    frame = partial_frame(3, seed)
    terms = frame_terms(*frame)
    for k, i in enumerate(terms.device):
        alone = best_local_part(frame, i, 0.0)
        assert terms.local_value[k] == pytest.approx(alone, rel=1e-6)
        for share in (0.1, 0.6, 0.9, 1.0):
            growth = share * math.log(terms.growth_limit[k])
            sent = growth * frame.cell.uplink_mbps[i] / math.log(2.0)
            lost = local_loss(terms.split, k, growth) if growth > terms.split[k, BEND] else 0.0
            assert lost == pytest.approx(alone - best_local_part(frame, i, sent), rel=1e-5, abs=1e-5 * alone)


def test_its_slope_is_its_derivative_and_never_falls() -> None:
    terms = frame_terms(*partial_frame(5, 1))
    for k in range(5):
        growth = np.linspace(terms.split[k, BEND], math.log(terms.growth_limit[k]), 50)
        slope = [loss_slope(terms.split, k, u) for u in growth]
        assert np.all(np.diff(slope) >= -1e-9)
        for u in growth[1:-1]:
            between = (local_loss(terms.split, k, u + 1e-6) - local_loss(terms.split, k, u - 1e-6)) / 2e-6
            assert loss_slope(terms.split, k, u) == pytest.approx(between, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("keys", [{}, {"pqc_energy_j_per_bit": 2e-8, "pqc_overhead_bits": 1e4}, {"idle_power_w": 0.01}])
def test_the_level_of_a_device_s_own_good_is_the_best_of_all(keys: dict[str, float]) -> None:
    frame = partial_frame(6, 4, **keys)
    terms = frame_terms(*frame)
    for k in range(6):
        for before in (1.0, 3.0, 40.0):
            highest = min(terms.growth_limit[k] * before, before + terms.step_limit[k])
            tried = np.linspace(before, highest, 4_000)
            best = max(step_objective(terms, k, before, level) for level in tried)
            own = step_objective(terms, k, before, own_best_level(terms, k, before, highest))
            assert own >= best - 1e-9 * abs(best)
            assert own <= best + 1e-4 * abs(best) + 1e-6


def test_what_is_dearer_to_secure_than_to_compute_is_not_sent() -> None:
    free = frame_terms(*partial_frame(4, 2))
    dear = frame_terms(*partial_frame(4, 2, pqc_energy_j_per_bit=1e-7))
    assert np.all(dear.growth_limit <= free.growth_limit)
    assert np.any(dear.growth_limit < free.growth_limit)
    for k in range(4):
        most = math.log(dear.growth_limit[k])
        if most <= dear.split[k, BEND] * (1.0 + 1e-9):  # the first Mbit beyond the bend would cost more than it brings
            continue
        assert dear.rate_value[k] - loss_slope(dear.split, k, most) >= -1e-9 * dear.rate_value[k]


def test_where_offloading_is_binary_nothing_bends() -> None:
    terms = frame_terms(*drawn_frame(3, 1))
    assert terms.split.shape == (0, 4)


def test_scenarios_name_the_two_kinds_and_what_does_not_go_with_partial() -> None:
    assert Scenario().offloading == "binary"
    assert cell_of(Scenario(offloading="partial")).is_partial == 1.0
    with pytest.raises(ValueError, match=r"offloading: 'both' is not allowed; it must be one of binary, partial"):
        Scenario(offloading="both")
    for keys in ({"battery_j": 2.0}, {"frequency_levels": 4}, {"server_frequency_hz": 2e9}, {"rate_adaptation": False}):
        with pytest.raises(ValueError, match=r"offloading: 'partial' is not allowed with \w+; it must be 'binary'"):
            Scenario(offloading="partial", **keys)


def test_terms_are_filled_alike_by_plain_python() -> None:
    frame = partial_frame(4, 9)
    compiled, interpreted = frame_terms(*frame), plain(frame_terms)(*frame)
    assert isinstance(interpreted, Terms)
    for one, other in zip(compiled, interpreted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
