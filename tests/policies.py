"""Every policy and every allocator there is: a property stated over these tables holds for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quedge.allocation.frame_budget import FrameBudget
from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.sca import NomaSca
from quedge.allocation.tdma import Tdma
from quedge.model.frame import Decision, Frame
from quedge.policy.auto import Auto
from quedge.policy.baselines import AllLocal, AllOffload, BestPair, BestSingle, Random
from quedge.policy.coordinate_descent import LyCd
from quedge.policy.exact import Exact
from quedge.policy.lagrangian import Lagrangian
from quedge.policy.lydroo import DROO, EQUIVARIANT, LYDROO_PUBLIC, Lydroo, MlpActor, NearestNeighbours, OrderPreserving
from quedge.policy.myopic import Myopic, MyopicSaving
from quedge.policy.policy import Learner, Policy, agent_for
from quedge.policy.robust import Robust
from quedge.policy.rounding import RandomRounding
from quedge.policy.subchannels import ExactGroups, Ofdma, RoundRobin, StrongWeak
from tests import oracle

NOMA_ALLOCATORS = (NomaGreedy(), NomaSca(), FrameBudget())
ALLOCATORS = (*NOMA_ALLOCATORS, Tdma())

FREE_OF_CHANCE = (
    AllLocal(), AllOffload(), BestSingle(), BestPair(), LyCd(), Lagrangian(), Lagrangian(rounds=3), Myopic(),
    Robust(), Exact(tolerance=1e-3), Exact(tolerance=1e-6), Auto(), Auto(BestPair()), ExactGroups(),
    Ofdma(), StrongWeak(), RoundRobin(),
)  # fmt: skip
LEARNERS = (
    Lydroo(),
    EQUIVARIANT,
    LYDROO_PUBLIC,
    DROO,
    MyopicSaving(),
    Lydroo(allocator=NomaSca(), actor=MlpActor(), quantiser=NearestNeighbours(), candidates=4),
    Lydroo(allocator=Tdma(), quantiser=OrderPreserving(), batch=4, update_every=2),
)
OF_ANOTHER_OBJECTIVE = (Myopic(), MyopicSaving(), DROO)
"""They maximise the weighted rate within a budget in each frame, not objective (17)."""
POLICIES = (*FREE_OF_CHANCE, Random(probability=0.5), RandomRounding(), *LEARNERS)

every_noma_allocator = pytest.mark.parametrize("allocator", NOMA_ALLOCATORS, ids=repr)
every_allocator = pytest.mark.parametrize("allocator", ALLOCATORS, ids=repr)
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=repr)
every_policy_of_the_objective = pytest.mark.parametrize(
    "policy", [each for each in POLICIES if each not in OF_ANOTHER_OBJECTIVE], ids=repr
)
every_policy_free_of_chance = pytest.mark.parametrize("policy", FREE_OF_CHANCE, ids=repr)


def decide(policy: Policy | Learner, frame: Frame) -> Decision:
    """A policy's decision, of a learner a fresh agent's; where it draws, always with the same numbers."""
    rng = np.random.default_rng(2024)
    return agent_for(policy, frame.cell.devices, rng).decide(frame, rng)


def assert_keeps_limits(frame: Frame, decision: Decision) -> None:
    """Power, frequency, mode and causality limits of problem (17), from eqs. (1)-(6) alone."""
    cell = frame.cell
    shapes = {np.shape(values) for values in decision[:5]}
    assert shapes == {(cell.devices,)}
    assert decision.offload.dtype == np.bool_
    assert (decision.transmit_power_w >= 0.0).all()
    assert (decision.transmit_power_w <= cell.max_transmit_power_w).all()
    assert (decision.cpu_frequency_hz >= 0.0).all()
    assert (decision.cpu_frequency_hz <= cell.max_frequency_hz).all()
    assert (decision.transmit_power_w[~decision.offload] == 0.0).all()
    assert (decision.cpu_frequency_hz[decision.offload] == 0.0).all()
    if decision.time_share is not None:
        assert decision.time_share.shape == (cell.devices,)
        assert (decision.time_share >= 0.0).all()
        assert decision.time_share.sum() <= 1.0 + 1e-12
        assert (decision.time_share[~decision.offload] == 0.0).all()
    sent = charged(frame, decision).rate_mbps * cell.frame_s
    rounding = 1e-9 * frame.data_queue_mbit + oracle.rounding_of_rates(frame) * cell.frame_s
    assert (sent <= frame.data_queue_mbit + rounding).all()


def assert_says_what_it_brings(frame: Frame, decision: Decision) -> None:
    """A decision's own rate, power and objective are those of its powers and frequencies, eqs. (1)-(6), (17)."""
    brings = charged(frame, decision)
    scale = oracle.magnitude(frame, brings)
    rounding = oracle.rounding_of_rates(frame)
    assert (np.abs(decision.rate_mbps - brings.rate_mbps) <= 1e-9 * brings.rate_mbps + rounding).all()
    uncertain = frame.cell.circuit_energy_j_per_mbit * (1e-9 * brings.rate_mbps + rounding)
    assert (np.abs(decision.power_w - brings.power_w) <= 1e-12 * brings.power_w + uncertain).all()
    assert abs(decision.objective - brings.objective) <= 1e-9 * scale
    assert decision.upper_bound is None or decision.upper_bound >= decision.objective


def charged(frame: Frame, decision: Decision) -> oracle.Charged:
    """What the powers and frequencies of a decision bring."""
    return oracle.evaluate(
        frame, decision.offload, decision.transmit_power_w, decision.cpu_frequency_hz, decision.time_share
    )


def permuted(frame: Frame, order: np.ndarray) -> Frame:
    """The same frame with its devices in another order."""
    fields: dict[str, Any] = {
        name: values[order] for name, values in frame.cell._asdict().items() if isinstance(values, np.ndarray)
    }
    return Frame(frame.cell._replace(**fields), *(values[order] for values in frame[1:]))
