"""Time division against a grid, a general convex solver, closed forms and its own dual bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from quedge.allocation import tdma
from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.tdma import Tdma, efficiency_saving, saved_by_time
from quedge.model.frame import Decision, Frame, Status
from tests import oracle
from tests.frames import drawn_frame, laid_frame
from tests.policies import assert_keeps_limits, assert_says_what_it_brings, charged
from tests.strategies import frames, frames_with_decisions
from tests.tdma_oracle import Sender, dual_bound, fixed_part, solved_by_cones

RANGE_OF_STATES = [(None, None), (0.3, None), (None, 0.02), (0.1, 0.001)]
"""Factors on the queues of data and of energy: busy or nearly idle, energy dear or nearly free."""


def state(devices: int, seed: int, data: float | None, energy: float | None) -> Frame:
    frame = drawn_frame(devices, seed, pqc_power_w=0.01)
    return frame._replace(
        data_queue_mbit=frame.data_queue_mbit * (data or 1.0), energy_queue=frame.energy_queue * (energy or 1.0)
    )


def without_overhead(frame: Frame) -> Frame:
    """Overhead makes the problem one of mixed integers: whoever does not get past it had better send nothing."""
    return frame._replace(cell=frame.cell._replace(overhead_mbps=np.zeros(frame.cell.devices)))


def allocate(frame: Frame, offload: np.ndarray) -> Decision:
    decision = Tdma().allocate(frame, offload)
    assert decision.status is Status.OK
    assert decision.time_share is not None
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)
    return decision


@pytest.mark.parametrize("devices", [2, 3])
@pytest.mark.parametrize("factors", RANGE_OF_STATES)
@pytest.mark.parametrize("seed", range(3))
def test_no_shares_and_powers_of_a_fine_grid_are_better(
    devices: int, factors: tuple[float | None, float | None], seed: int
) -> None:
    frame, offload = state(devices, seed, *factors), np.ones(devices, dtype=np.bool_)
    shares = np.linspace(0.0, 1.0, 251)
    brings = np.zeros((devices, shares.size))  # of each device, the best over a grid of its powers
    for i in range(devices):
        sender = Sender.of(frame, i)
        power = np.append(0.0, np.geomspace(1e-6, 1.0, 3000)) * sender.max_power_w
        nats = shares[:, np.newaxis] * np.log1p(power * sender.gain_to_noise)
        worth = sender.worth_of_nats * nats - sender.price_per_w * shares[:, np.newaxis] * power
        brings[i] = np.where(nats <= sender.load, worth, 0.0).max(axis=1)
    together = brings[0]
    for i in range(1, devices):  # the best division of a share among the first i + 1 devices
        together = np.array([(together[: j + 1] + brings[i, j::-1]).max() for j in range(shares.size)])
    grid = fixed_part(frame, offload) + together.max()
    reached = allocate(frame, offload).objective
    assert reached >= grid - 1e-9 * abs(grid)
    assert reached <= grid + 5e-3 * abs(grid)  # the grid finds nearly the same, so it can tell


@pytest.mark.parametrize("devices", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("factors", RANGE_OF_STATES)
@pytest.mark.parametrize("seed", range(3))
def test_a_general_convex_solver_reaches_the_same(
    devices: int, factors: tuple[float | None, float | None], seed: int
) -> None:
    pytest.importorskip("cvxpy")
    frame = state(devices, seed, *factors)
    offload = np.random.default_rng(seed).random(devices) < 0.7
    offload[seed % devices] = True
    assert allocate(frame, offload).objective == pytest.approx(solved_by_cones(frame, offload), rel=1e-6)


@given(case=frames_with_decisions())
def test_the_dual_bound_at_the_price_of_time_equals_the_objective(case: tuple[Frame, np.ndarray]) -> None:
    frame, offload = without_overhead(case[0]), case[1]
    decision = allocate(frame, offload)
    bound = dual_bound(frame, offload, decision.notes["time_price"])
    scale = max(oracle.magnitude(frame, charged(frame, decision)), abs(bound))
    senders = [Sender.of(frame, i) for i in np.flatnonzero(offload)]
    rounding = 1e-15 * sum(sender.load * sender.worth_of_nats for sender in senders)  # of the bound: queues for hours
    assert abs(bound - decision.objective) <= 1e-9 * scale + rounding


@pytest.mark.parametrize("seed", range(12))
def test_whoever_is_served_pays_for_the_overhead_what_it_would_have_carried(seed: int) -> None:
    suite = {"pqc_energy_j_per_bit": 4.4e-9, "pqc_overhead_bits": 400.0, "pqc_max_rate_mbps": 9.0}
    frame, offload = drawn_frame(6, seed, pqc_power_w=0.01, **suite), np.arange(6) % 2 == seed % 2
    decision = allocate(frame, offload)
    served = decision.rate_mbps > 0.0
    np.testing.assert_array_equal(served & offload, decision.time_share > 0.0)
    overhead = frame.cell.overhead_mbps * np.log(2.0) / frame.cell.uplink_mbps
    paid = sum(Sender.of(frame, i).worth_of_nats * overhead[i] for i in np.flatnonzero(served & offload))
    assert decision.objective == pytest.approx(
        dual_bound(frame, offload, decision.notes["time_price"]) - paid, rel=1e-9
    )


@given(frame=frames(max_devices=1))
def test_a_lone_device_sends_only_where_that_pays_for_its_overhead(frame: Frame) -> None:
    decision = allocate(frame, np.array([True]))
    silent = fixed_part(frame, np.array([True]))
    assert decision.objective >= silent - 1e-12 * abs(silent)
    if decision.transmit_power_w[0] == 0.0:
        return
    secured = frame.cell.max_secured_mbps[0]
    is_lost_in_rounding = secured <= oracle.rounding_of_rates(frame)[0]
    assert decision.rate_mbps[0] > 0.0 or frame.cell.overhead_mbps[0] == 0.0 or is_lost_in_rounding


@given(case=frames_with_decisions())
def test_time_is_left_over_only_where_nobody_gains_by_it(case: tuple[Frame, np.ndarray]) -> None:
    frame, offload = without_overhead(case[0]), case[1]
    decision = allocate(frame, offload)
    assert decision.time_share is not None
    left = 1.0 - decision.time_share.sum()
    if left <= 1e-9:
        return
    assert decision.notes["time_price"] <= 1e-9
    for i in np.flatnonzero(offload):
        sender = Sender.of(frame, i)
        has = decision.time_share[i] * np.log1p(decision.transmit_power_w[i] * sender.gain_to_noise)
        sent_for_nothing = sender.price_per_w * sender.max_power_w <= 1e-9 and has >= sender.load * (1.0 - 1e-9)
        worth_nothing = sender.worth_of_nats * sender.gain_to_noise <= sender.price_per_w
        has_nothing = sender.load <= 1e-15 or sender.max_power_w == 0.0  # a level that a double cannot tell from 1
        assert sent_for_nothing or worth_nothing or has_nothing


@given(frame=frames(max_devices=1))
def test_a_single_offloader_does_as_well_as_without_time_division(frame: Frame) -> None:
    alone = np.array([True])
    by_turns, at_once = allocate(frame, alone), NomaGreedy().allocate(frame, alone)
    scale = oracle.magnitude(frame, charged(frame, by_turns))
    assert abs(by_turns.objective - at_once.objective) <= 1e-9 * scale


def test_a_single_offloader_takes_the_closed_form_and_all_the_time_that_saves_energy() -> None:
    # α = 94.43 (see the greedy allocation's test); v = min(ln(α/β) = 5.980, ln(1 + P_max g) = 4.841, load = 2.287).
    by_queue = allocate(laid_frame([1e-11], 6.0, 5.0), np.array([True]))
    assert by_queue.time_share == pytest.approx([1.0])  # the queue fits in less, but time saves energy
    assert by_queue.transmit_power_w[0] == pytest.approx(8.849155 * 7.962143e-4, rel=1e-6)
    # Time is worth β (v e^v − e^v + 1) = 0.23886 (2.28743 · 9.849155 − 8.849155) then.
    assert by_queue.notes["time_price"] == pytest.approx(3.26756, rel=1e-4)
    # With 40 Mbit the frame is too short at any power: v = ln(76.87) at Y = 50.
    stationary = allocate(laid_frame([1e-11], 40.0, 50.0), np.array([True]))
    assert stationary.time_share == pytest.approx([1.0])
    assert stationary.transmit_power_w[0] == pytest.approx(75.868 * 7.962143e-4, rel=1e-4)
    # Where energy costs nothing it sends at P_max and leaves 1 − 2.28743 / 4.84083 of the frame.
    free = allocate(laid_frame([1e-11], 6.0, 0.0), np.array([True]))
    assert free.time_share == pytest.approx([0.472528], rel=1e-4)
    assert free.transmit_power_w[0] == pytest.approx(0.1)
    assert free.notes["time_price"] == 0.0


def test_equal_devices_share_the_frame_equally() -> None:
    for queue, energy in ((1.0, 5.0), (100.0, 5.0), (100.0, 0.0)):
        frame = laid_frame([1e-10] * 4, queue, energy, weight=1.0)
        assert allocate(frame, np.ones(4, dtype=np.bool_)).time_share == pytest.approx([0.25] * 4, rel=1e-12)


def test_a_tie_for_the_last_of_the_frame_is_shared_in_proportion_to_the_queues() -> None:
    frame = laid_frame([1e-10] * 3, [40.0, 10.0, 30.0], 0.0, weight=[1.0, 2.5, 1.5])  # a = 60 for all
    share = allocate(frame, np.ones(3, dtype=np.bool_)).time_share
    assert share == pytest.approx([0.5, 0.125, 0.375], rel=1e-12)


def test_a_tie_is_shared_alike_also_where_some_of_the_equally_worthy_alone_leave_time() -> None:
    frame = laid_frame([1e-10] * 3, [12.0, 3.0, 9.0], 0.0, weight=[2.4, 2.85, 2.55])  # a = 60 for all
    decision = allocate(frame, np.ones(3, dtype=np.bool_))
    assert decision.time_share == pytest.approx([0.5, 0.125, 0.375], rel=1e-12)
    by_itself = [allocate(frame, np.arange(3) == i).time_share[i] for i in range(3)]
    assert sum(by_itself[:2]) < 1.0 < sum(by_itself)  # the first two fit, all three do not


def test_a_price_that_was_not_found_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tdma.allocate_best_tdma  # no frame is known for which it is not
    monkeypatch.setattr(tdma, "allocate_best_tdma", lambda *state: (*found(*state)[:-1], False))
    frame = drawn_frame(4, seed=1)
    decision = Tdma().allocate(frame, np.ones(4, dtype=np.bool_))
    assert decision.status is Status.ROUNDS_SPENT
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)


def test_energy_is_saved_by_sending_more_slowly_than_would_be_best_for_the_time_alone() -> None:
    frame = laid_frame([1e-10, 1e-10], 2.0, 5.0, weight=1.0)
    both = np.ones(2, dtype=np.bool_)
    alone = allocate(frame, np.array([True, False]))
    assert allocate(frame, both).transmit_power_w[0] > alone.transmit_power_w[0]
    assert (
        alone.transmit_power_w[0]
        < NomaGreedy()
        .allocate(frame._replace(data_queue_mbit=np.array([200.0, 2.0])), np.array([True, False]))
        .transmit_power_w[0]
    )


def test_an_offloader_without_a_share_still_pays_its_circuit_power() -> None:
    frame = laid_frame([1e-10, 1e-12], 100.0, 5.0, pqc_power_w=0.03)
    decision = allocate(frame, np.array([True, True]))
    assert decision.time_share is not None
    assert decision.time_share[1] == 0.0
    assert decision.power_w[1] == 0.03


def test_nobody_offloading_needs_no_time() -> None:
    decision = allocate(drawn_frame(4, seed=1), np.zeros(4, dtype=np.bool_))
    np.testing.assert_array_equal(decision.time_share, np.zeros(4))
    assert decision.notes["time_price"] == 0.0


@pytest.mark.parametrize("devices", [30, 1000])
@pytest.mark.parametrize("factors", [(1.0, 1.0), (0.01, 1.0), (1e-4, 10.0), (1e-4, 0.0)])
def test_many_devices_share_the_frame_to_its_end(devices: int, factors: tuple[float, float]) -> None:
    frame, offload = state(devices, 5, *factors), np.ones(devices, dtype=np.bool_)
    decision = allocate(frame, offload)
    bound = dual_bound(frame, offload, decision.notes["time_price"])
    assert decision.objective == pytest.approx(bound, rel=1e-9)


@pytest.mark.parametrize("queue", [5e-324, 1e-300, 1e-160, 1e-30, 1e-9, 1e3, 1e12])
@pytest.mark.parametrize("energy", [0.0, 1e-300, 1e-20, 1.0, 1e15])
@pytest.mark.parametrize("gain", [1e-300, 1e-20, 1e-10, 1.0, 1e6])
def test_numbers_of_any_size_give_numbers(queue: float, energy: float, gain: float) -> None:
    frame = laid_frame([gain, gain / 3.0, 1e-10], [queue, queue, 5.0], [energy, energy, 5.0])
    decision = Tdma().allocate(frame, np.ones(3, dtype=np.bool_))
    assert_keeps_limits(frame, decision)
    assert all(np.isfinite(values).all() for values in (*decision[1:6], decision.time_share))


@pytest.mark.parametrize("saving", [*np.logspace(-290, 25, 64), 0.17, 0.18, 1.0])
def test_the_best_efficiency_solves_its_equation_to_rounding(saving: float) -> None:
    efficiency = efficiency_saving(saving)
    assert saved_by_time(efficiency) == pytest.approx(saving, rel=1e-15 * (8.0 + efficiency))


def test_the_best_of_many_decisions_equals_the_best_one_by_one() -> None:
    for seed in range(5):
        frame = drawn_frame(6, seed, pqc_power_w=0.02)
        offloads = np.random.default_rng(seed).random((20, 6)) < 0.5
        one_by_one = [Tdma().allocate(frame, offload) for offload in offloads]
        choice = Tdma().allocate_best(frame, offloads)
        best = int(np.argmax([decision.objective for decision in one_by_one]))
        assert choice.candidate == best
        for ours, theirs in zip(choice.decision[:6], one_by_one[best][:6], strict=True):
            np.testing.assert_array_equal(ours, theirs)
