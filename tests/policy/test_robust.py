"""Decisions that know what cancellation leaves: against the exact policy, the best single one, and a dense search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import differential_evolution

from quedge.model.cell import cell_of
from quedge.model.frame import NO_TIME_SHARES, Allocation, Frame
from quedge.model.scenario import Scenario
from quedge.model.uplink import realised_outcome
from quedge.policy.baselines import BestSingle
from quedge.policy.exact import Exact
from quedge.policy.robust import Robust
from quedge.simulation.run import simulate
from tests import oracle

RNG = np.random.default_rng(0)


def random_frame(devices: int, residual: float, seed: int) -> Frame:
    rng = np.random.default_rng(seed)
    scenario = Scenario(devices=devices, residual_sic_share=residual, pqc_power_w=float(rng.choice([0.0, 0.02])))
    gain, queue = 10.0 ** rng.uniform(-12.5, -10, devices), rng.exponential(8.0, devices)
    return Frame(cell_of(scenario), gain, queue, rng.exponential(6.0, devices))


def objective_of(frame: Frame, offload: np.ndarray, power: np.ndarray, frequency: np.ndarray) -> float:
    """What powers bring with the residue of the frame's cell."""
    decided = Allocation(offload, power, frequency, NO_TIME_SHARES)
    return realised_outcome(frame, decided, frame.channel_gain, frame.cell.residual_sic_share).objective


@pytest.mark.parametrize("seed", range(20))
def test_without_residue_it_is_the_exact_policy_to_the_bit(seed: int) -> None:
    frame = random_frame(6, 0.0, seed)
    robust, exact = (policy.decide(frame, RNG) for policy in (Robust(), Exact()))
    np.testing.assert_array_equal(robust.transmit_power_w, exact.transmit_power_w)
    assert (robust.objective, robust.upper_bound, robust.status) == (exact.objective, exact.upper_bound, exact.status)


@pytest.mark.parametrize("residual", [1e-4, 1e-2, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(15))
def test_it_is_no_worse_than_the_best_single_and_the_exact_decision_and_within_its_bound(
    seed: int, residual: float
) -> None:
    frame = random_frame(7, residual, seed)
    decision = Robust().decide(frame, RNG)
    chosen = decision.offload, decision.transmit_power_w, decision.cpu_frequency_hz
    assert decision.objective == pytest.approx(objective_of(frame, *chosen), rel=1e-9)
    for other in (BestSingle(), Exact()):
        theirs = other.decide(frame, RNG)
        reached = objective_of(frame, theirs.offload, theirs.transmit_power_w, theirs.cpu_frequency_hz)
        assert decision.objective >= reached - 1e-9 * abs(reached)
    assert decision.upper_bound is not None
    assert decision.upper_bound >= decision.objective * (1.0 - 1e-12)


@pytest.mark.parametrize(("seed", "residual"), list(zip(range(6), (1e-3, 1e-2, 0.1) * 2, strict=True)))
def test_a_dense_search_over_all_decisions_finds_hardly_more(seed: int, residual: float) -> None:
    frame = random_frame(3, residual, 100 + seed)
    frequency, best = oracle.best_frequencies(frame), -np.inf
    for bits in itertools.product((False, True), repeat=3):
        offload = np.array(bits)

        def lost(share: np.ndarray, offload: np.ndarray = offload) -> float:
            power = np.where(offload, 10.0 ** (5.0 * (share - 1.0)) * frame.cell.max_transmit_power_w, 0.0)
            return -objective_of(frame, offload, power, np.where(offload, 0.0, frequency))

        found = differential_evolution(lost, [(0.0, 1.0)] * 3, seed=1, maxiter=60, popsize=12, tol=1e-9)
        best = max(best, -found.fun)
    assert Robust().decide(frame, RNG).objective >= best - 1e-3 * abs(best)


def test_a_run_promises_what_comes_true_and_its_queues_are_short_where_cancellation_is_poor() -> None:
    scenario = Scenario(residual_sic_share=1e-2)
    robust, exact, single = (simulate(scenario, each, 1500, seed=1) for each in (Robust(), Exact(), BestSingle()))
    np.testing.assert_array_equal(robust.promised_rate_mbps, robust.rate_mbps)
    assert robust.summary().outage_ratio == 0.0 < exact.summary().outage_ratio
    waiting = [trace.summary().data_queue_mbit for trace in (robust, exact, single)]
    assert waiting[0] < 0.3 * waiting[1]
    assert waiting[0] < 1.1 * waiting[2]
