"""Successive convex approximation where offloading is partial: its rounds, where they end, and against binary."""

from __future__ import annotations

import itertools

import cvxpy
import numpy as np
import pytest
from hypothesis import given

from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.sca import BarrierNewton, CvxpyClarabel, NomaSca
from quedge.allocation.sca.problem import Round, chain_value, linearise
from quedge.allocation.sca.sca import allocate_best_sca, starting_point
from quedge.model.frame import Frame, Status, packed_frame
from quedge.model.interpreting import interpreted
from quedge.model.split import BEND, CUBE, LINEAR, SQUARE
from quedge.model.terms import frame_terms
from quedge.model.uplink import predicted_outcome
from quedge.policy.exact import Exact
from quedge.policy.policy import check_allocation
from tests import oracle
from tests.frames import drawn_frame, laid_frame
from tests.policies import assert_says_what_it_brings, charged, decide
from tests.strategies import frames_with_decisions

KINDS: list[dict[str, float]] = [
    {},
    {"pqc_power_w": 0.06},
    {"pqc_energy_j_per_bit": 2e-8, "pqc_overhead_bits": 1e4, "pqc_max_rate_mbps": 6.0},
    {"max_transmit_power_w": 0.01, "max_frequency_hz": 1e8},
]
EVERYONE = np.ones(6, dtype=np.bool_)
TO_THE_END = NomaSca(tolerance=1e-9, max_rounds=20_000)


def partial_frame(devices: int, seed: int, **keys: float) -> Frame:
    return drawn_frame(devices, seed, offloading="partial", **keys)


def partly(frame: Frame) -> Frame:
    return frame._replace(cell=frame.cell._replace(is_partial=1.0))


def first_round(frame: Frame, share: float) -> Round:
    """The round at a share of the starting point, everyone offloading."""
    terms = frame_terms(*frame)
    chain, step = starting_point(terms, np.ones(terms.device.size, np.bool_))
    step, price = step * share, np.empty(step.size)
    linearise(chain, step, price)
    return Round(chain.rate_value, price, chain.growth, chain.step_limit, step, chain.split)


def growths(problem: Round, step: np.ndarray) -> np.ndarray:
    """u° of every device, from its definition."""
    level = 1.0 + np.cumsum(step)
    before, last = (np.append(1.0, 1.0 + np.cumsum(q)[:-1]) for q in (step, problem.start))
    return np.log(level / last) - (before - last) / last


def value(problem: Round, step: np.ndarray) -> float:
    """What a round maximises, from its definition."""
    beyond = np.maximum(growths(problem, step) - problem.split[:, BEND], 0.0)
    cubic = beyond * (problem.split[:, LINEAR] + beyond * (problem.split[:, SQUARE] - beyond * problem.split[:, CUBE]))
    return float(problem.rate_value @ np.log(1.0 + np.cumsum(step)) - problem.step_price @ step - cubic.sum())


def best_by_cvxpy(problem: Round) -> np.ndarray:
    """A round's best steps: growth is a variable, not above u°, of which the CPU loses what is beyond the bend."""
    devices = problem.start.size
    bends, last = np.isfinite(problem.split[:, BEND]), np.append(1.0, 1.0 + np.cumsum(problem.start)[:-1])
    bend, linear, square, cube = np.where(bends[:, None], problem.split, 0.0).T
    step, growth, taken = (cvxpy.Variable(devices) for _ in range(3))
    level = 1.0 + cvxpy.cumsum(step)
    before = level - step
    tangent = np.log(last) + cvxpy.multiply(before - last, 1.0 / last)
    most = np.divide(square, 3.0 * cube, out=np.full(devices, 1e3), where=cube > 0.0)  # the whole of the CPU's rate
    left = cvxpy.multiply(cube, cvxpy.power(most - taken, 3)) + cvxpy.multiply(linear + 3.0 * cube * most**2, taken)
    harm = np.append(np.cumsum((problem.rate_value / last)[::-1])[::-1][1:], 0.0)  # in the round's prices, as of growth
    gain = problem.rate_value @ growth - (problem.step_price - harm) @ step
    loss = cvxpy.sum(cvxpy.multiply(bends.astype(float), left - cube * most**3))
    limits = [
        growth <= cvxpy.log(level) - tangent, growth <= np.where(bends, bend, 1e3) + cvxpy.multiply(bends, taken),
        taken >= 0.0, taken <= most, step >= 0.0, step <= problem.step_limit,
        step <= cvxpy.multiply(problem.growth, before),
    ]  # fmt: skip
    cvxpy.Problem(cvxpy.Maximize(gain - loss), limits).solve(cvxpy.CLARABEL)
    return np.asarray(step.value)


@pytest.mark.parametrize("keys", KINDS)
@pytest.mark.parametrize(("devices", "seed", "share"), [(1, 0, 1.0), (3, 2, 0.1), (6, 3, 3.0)])
def test_a_round_s_steps_are_cvxpy_s(devices: int, seed: int, share: float, keys: dict[str, float]) -> None:
    problem = first_round(partial_frame(devices, seed, **keys), share)
    ours = BarrierNewton().prepared(devices)(problem).step
    assert ours is not None
    theirs = best_by_cvxpy(problem)
    size = problem.rate_value @ np.log(1.0 + np.cumsum(ours)) + problem.step_price @ ours
    assert value(problem, ours) == pytest.approx(value(problem, theirs), abs=1e-6 * size)


def test_a_round_never_exceeds_the_true_objective_and_touches_it() -> None:
    rng = np.random.default_rng(5)
    for seed in range(10):
        frame = partial_frame(6, seed)
        terms = frame_terms(*frame)
        chain, _ = starting_point(terms, EVERYONE)
        problem = first_round(frame, 1.0)
        offset = chain_value(chain, problem.start) - value(problem, problem.start)
        for _ in range(20):
            step, level = np.empty(problem.start.size), 1.0
            for k in range(step.size):
                step[k] = rng.random() * min(problem.step_limit[k], problem.growth[k] * level)
                level += step[k]
            assert value(problem, step) + offset <= chain_value(chain, step) + 1e-9 * level


@pytest.mark.parametrize("keys", KINDS)
def test_it_never_exceeds_the_optimum_and_is_close_to_it_for_the_best_decision(keys: dict[str, float]) -> None:
    reached = []
    for seed in range(12):
        frame = partial_frame(8, seed, **keys)
        best = decide(Exact(tolerance=1e-6), frame)
        decision = TO_THE_END.allocate(frame, best.offload)
        assert best.upper_bound is not None
        assert decision.objective <= best.upper_bound
        reached.append(decision.objective / best.objective)
        assert NomaSca().allocate(frame, np.ones(8, np.bool_)).objective <= best.upper_bound
    assert np.mean(reached) >= 0.998
    assert min(reached) >= 0.98


@pytest.mark.parametrize("keys", KINDS)
def test_one_offloader_gets_its_best_power_as_from_greedy(keys: dict[str, float]) -> None:
    for seed in range(8):
        frame, offload = partial_frame(4, seed, **keys), np.arange(4) == seed % 4
        decision, greedy = TO_THE_END.allocate(frame, offload), NomaGreedy().allocate(frame, offload)
        assert decision.objective == pytest.approx(greedy.objective, rel=1e-8)
        np.testing.assert_allclose(decision.transmit_power_w, greedy.transmit_power_w, rtol=1e-4, atol=1e-9)


def test_where_no_power_reaches_a_bend_powers_are_those_of_binary_offloading() -> None:
    for seed in range(6):
        gain = np.random.default_rng(seed).uniform(1e-11, 1e-10, 6)
        binary = laid_frame(gain, 60.0, 5.0, max_transmit_power_w=0.01)
        frame = partly(binary)
        chain, _ = starting_point(frame_terms(*frame), EVERYONE)
        assert np.all(np.isinf(chain.split[:, BEND]))
        decision, other = NomaSca().allocate(frame, EVERYONE), NomaSca().allocate(binary, EVERYONE)
        np.testing.assert_allclose(decision.transmit_power_w, other.transmit_power_w, rtol=1e-6, atol=1e-9)
        assert decision.notes["rounds"] == other.notes["rounds"]
        computed = frame_terms(*binary).local_value.sum()  # everyone computes beside
        assert decision.objective == pytest.approx(other.objective + computed, rel=1e-9)


@given(case=frames_with_decisions())
def test_in_any_cell_rounds_never_fail_nor_lower_the_objective_and_keep_the_limits(
    case: tuple[Frame, np.ndarray],
) -> None:
    frame, offload = partly(case[0]), case[1]
    reached = [NomaSca(tolerance=0.0, max_rounds=rounds).allocate(frame, offload) for rounds in (1, 2, 4, 16)]
    for fewer, more in itertools.pairwise(reached):
        scale = oracle.magnitude(frame, charged(frame, fewer))
        assert fewer.status != Status.FALLBACK
        assert more.objective >= fewer.objective - 1e-12 * scale
    check_allocation(frame.cell, reached[-1].allocation)
    assert_says_what_it_brings(frame, reached[-1])
    outcome = predicted_outcome(frame, reached[-1].allocation)
    assert np.all(outcome.rate_mbps * frame.cell.frame_s <= frame.data_queue_mbit * (1.0 + 1e-9) + 1e-12)


def test_the_best_of_many_is_the_best_of_each() -> None:
    frame, allocator = partial_frame(6, 1), NomaSca()
    offloads = np.random.default_rng(3).random((8, 6)) < 0.5
    each = [allocator.allocate(frame, offload).objective for offload in offloads]
    chosen = allocator.allocate_best(frame, offloads)
    assert (chosen.candidate, chosen.decision.objective) == (int(np.argmax(each)), max(each))


def test_it_allocates_alike_by_plain_python() -> None:
    packed, offloads = packed_frame(partial_frame(3, 2)), np.ones((1, 3), np.bool_)
    compiled = allocate_best_sca(packed, offloads, 1e-4, 50)
    plain = interpreted(allocate_best_sca)(packed, offloads, 1e-4, 50)
    assert plain[:3] == compiled[:3]
    np.testing.assert_allclose(plain[3][1], compiled[3][1], rtol=1e-9)
    assert plain[4] == pytest.approx(compiled[4], rel=1e-12)


def test_other_solvers_know_binary_rounds_only_and_say_so() -> None:
    message = (
        r"offloading: 'partial' is not allowed for the allocator NomaSca through CvxpyClarabel; it must be 'binary'"
    )
    with pytest.raises(ValueError, match=message):
        NomaSca(solver=CvxpyClarabel()).allocate(partial_frame(3, 1), np.ones(3, np.bool_))
