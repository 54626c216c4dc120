"""Successive convex approximation: its rounds by three solvers, where they end, and what happens when one fails."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from scipy.optimize import linprog

from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.sca import BarrierNewton, CvxpyClarabel, NomaSca, cvxpy
from quedge.allocation.sca.problem import Chain, Round, RoundSolution, RoundSolver, keep_limits, levels_of, linearise
from quedge.allocation.sca.sca import starting_point
from quedge.errors import MissingExtraError
from quedge.model.frame import Frame, Status
from quedge.model.terms import chain_objective, frame_terms
from tests import oracle
from tests.frames import drawn_frame, laid_frame
from tests.policies import assert_keeps_limits, assert_says_what_it_brings, charged
from tests.strategies import frames_with_decisions

EVERYONE = np.ones(6, dtype=np.bool_)
BINARY = np.empty((0, 4))  # no bends
TO_THE_END = NomaSca(tolerance=1e-12, max_rounds=20_000)

every_solver = pytest.mark.parametrize("solver", [BarrierNewton(), CvxpyClarabel()], ids=repr)


@dataclass(frozen=True)
class FailsAfter:
    """A solver that gives up after some rounds, or from then on answers nonsense."""

    rounds: int
    nonsense: float | None = None

    def prepared(self, devices: int) -> Callable[[Round], RoundSolution]:
        solve, left = BarrierNewton().prepared(devices), iter(range(self.rounds))

        def solve_some(problem: Round) -> RoundSolution:
            if next(left, None) is not None:
                return solve(problem)
            return RoundSolution(None if self.nonsense is None else np.full(problem.start.size, self.nonsense), 0.0)

        return solve_some


class Panic(BaseException):
    """What compiled Rust raises through PyO3 is no `Exception`."""


@dataclass(frozen=True)
class RaisesAfter:
    """A solver that raises after some rounds, or with -1 when it is prepared."""

    rounds: int
    error: BaseException

    def prepared(self, devices: int) -> Callable[[Round], RoundSolution]:
        if self.rounds < 0:
            raise self.error
        solve, left = BarrierNewton().prepared(devices), iter(range(self.rounds))

        def solve_some(problem: Round) -> RoundSolution:
            if next(left, None) is None:
                raise self.error
            return solve(problem)

        return solve_some


@dataclass(frozen=True)
class Watched:
    """A solver that keeps the rounds it was given."""

    solver: RoundSolver
    seen: list[Round] = field(default_factory=list)

    def prepared(self, devices: int) -> Callable[[Round], RoundSolution]:
        solve = self.solver.prepared(devices)

        def keep_and_solve(problem: Round) -> RoundSolution:
            self.seen.append(Round(*(values.copy() for values in problem)))
            return solve(problem)

        return keep_and_solve


def seen_rounds(devices: int, seed: int) -> list[Round]:
    """The rounds of a frame in which everyone offloads."""
    watched = Watched(BarrierNewton())
    NomaSca(solver=watched).allocate(drawn_frame(devices, seed), np.ones(devices, dtype=np.bool_))
    return watched.seen


def feasible(problem: Round, step: np.ndarray) -> np.ndarray:
    cut = step.copy()
    keep_limits(Chain(np.arange(cut.size), problem.rate_value, problem.step_price, *problem[2:4], BINARY), cut)
    return cut


def value(problem: Round, step: np.ndarray) -> float:
    """Eq. (46) from its definition."""
    return float(problem.rate_value @ np.log(1.0 + np.cumsum(step)) - problem.step_price @ step)


def optimality_gap(frame: Frame, offload: np.ndarray, power: np.ndarray) -> float:
    """The most that problem (19), linearised at these powers, gains within its limits: zero at a KKT point only.

    The limits are linear in the powers, the queue's by eq. (43), so no constraint qualification is needed.
    """
    cell = frame.cell
    chain = [i for i in np.argsort(frame.channel_gain, kind="stable") if offload[i]]
    gain, noise = frame.channel_gain[chain] / cell.noise_w, 1.0
    worth = oracle.rate_weights(frame)[chain] * cell.uplink_mbps[chain] / np.log(2.0)
    level = noise + np.cumsum(gain * power[chain])
    before = np.append(noise, level[:-1])
    later = np.cumsum((worth / level)[::-1])[::-1] - (np.cumsum((worth / before)[::-1])[::-1] - worth / before)
    slope = gain * later - cell.nu * frame.energy_queue[chain]
    growth = np.expm1(frame.data_queue_mbit[chain] * np.log(2.0) / (cell.uplink_mbps[chain] * cell.frame_s))
    highest = cell.max_transmit_power_w[chain]
    matrix = np.diag(gain) - np.tril(np.outer(growth, gain), -1)
    best = linprog(-slope * highest, matrix * highest / level[:, None], growth * noise / level, bounds=(0.0, 1.0))
    assert best.success
    return float(-best.fun - slope @ power[chain])


@every_solver
def test_every_solver_ends_where_problem_19_has_a_kkt_point(solver: RoundSolver) -> None:
    for seed in range(4):
        frame = drawn_frame(6, seed)
        accurate = NomaSca(tolerance=1e-9, max_rounds=2000, solver=solver)
        decision = accurate.allocate(frame, EVERYONE)
        gap = optimality_gap(frame, EVERYONE, decision.transmit_power_w)
        assert -1e-6 <= gap / oracle.magnitude(frame, charged(frame, decision)) <= 2e-4
        assert optimality_gap(frame, EVERYONE, np.zeros(6)) > decision.objective  # the measure can tell


@pytest.mark.parametrize("seed", range(8))
def test_rounds_to_the_end_leave_no_gap_to_the_kkt_conditions(seed: int) -> None:
    frame = drawn_frame(6, seed)
    decision = TO_THE_END.allocate(frame, EVERYONE)
    assert decision.status == Status.OK
    gap = optimality_gap(frame, EVERYONE, decision.transmit_power_w)
    assert gap <= 1e-5 * oracle.magnitude(frame, charged(frame, decision))


@given(case=frames_with_decisions())
def test_more_rounds_never_lower_the_objective(case: tuple[Frame, np.ndarray]) -> None:
    frame, offload = case
    reached = [NomaSca(tolerance=0.0, max_rounds=rounds).allocate(frame, offload) for rounds in (1, 2, 3, 5, 20)]
    for fewer, more in itertools.pairwise(reached):
        assert more.objective >= fewer.objective - 1e-12 * oracle.magnitude(frame, charged(frame, fewer))


@given(case=frames_with_decisions())
def test_the_objective_never_falls_below_the_starting_points(case: tuple[Frame, np.ndarray]) -> None:
    frame, offload = case
    terms = frame_terms(*frame)
    chain, step = starting_point(terms, offload[terms.device])
    level = np.empty(offload.size)
    levels_of(terms, chain, step, level)
    start = chain_objective(terms, offload[terms.device], level)
    decision = NomaSca().allocate(frame, offload)
    assert decision.objective >= start - 1e-12 * oracle.magnitude(frame, charged(frame, decision))


@given(case=frames_with_decisions())
def test_the_compiled_solver_never_falls_back(case: tuple[Frame, np.ndarray]) -> None:
    assert NomaSca().allocate(*case).status != Status.FALLBACK


@pytest.mark.parametrize("seed", range(10))
def test_one_offloader_gets_its_best_power_as_from_greedy(seed: int) -> None:
    frame = drawn_frame(4, seed)
    offload = np.arange(4) == seed % 4
    power = TO_THE_END.allocate(frame, offload).transmit_power_w
    np.testing.assert_allclose(power, oracle.best_powers(frame, offload), rtol=1e-4)
    np.testing.assert_allclose(power, NomaGreedy().allocate(frame, offload).transmit_power_w, rtol=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_two_offloaders_reach_the_best_powers_within_a_percent(seed: int) -> None:
    frame = drawn_frame(2, seed)
    offload = np.array([True, True])
    best = oracle.evaluate(frame, offload, oracle.best_powers(frame, offload), np.zeros(2)).objective
    assert NomaSca().allocate(frame, offload).objective >= 0.99 * best


@pytest.mark.parametrize(("devices", "seed"), [(1, 0), (2, 1), (4, 2), (10, 3), (20, 4)])
def test_the_compiled_round_equals_cvxpy_s(devices: int, seed: int) -> None:
    problems = seen_rounds(devices, seed)[:6]
    ours, theirs = BarrierNewton().prepared(devices), CvxpyClarabel().prepared(devices)
    for problem in problems:
        here, there = ours(problem).step, theirs(problem).step
        assert here is not None
        assert there is not None
        here, there = feasible(problem, here), feasible(problem, there)
        size = problem.rate_value @ np.log(1.0 + np.cumsum(here)) + problem.step_price @ here
        assert abs(value(problem, here) - value(problem, there)) <= 1e-6 * size
        np.testing.assert_allclose(np.cumsum(here), np.cumsum(there), rtol=2e-2, atol=1e-4)


def test_a_round_by_hand() -> None:
    # One device, α = 6, d = 2: 6 ln(1 + q) − 2 q is best at q = 2, unless σ = 1.5 or r = 0.5 stops it.
    solve = BarrierNewton().prepared(1)
    for growth, limit, best in ((9.0, 9.0, 2.0), (9.0, 1.5, 1.5), (0.5, 9.0, 0.5)):
        problem = Round(*(np.array([number]) for number in (6.0, 2.0, growth, limit, 0.1)), BINARY)
        assert solve(problem).step == pytest.approx([best], rel=1e-6)


def test_a_price_is_the_loss_of_all_devices_decoded_earlier() -> None:
    # Levels 1, 2, 4, 8; α = 3, 4, 8 and β = 1: the last step costs β alone, the one before also 8 / 4, then 4 / 2.
    chain = Chain(np.arange(3), np.array([3.0, 4.0, 8.0]), np.ones(3), np.full(3, 9.0), np.full(3, 9.0), BINARY)
    price = np.empty(3)
    linearise(chain, np.array([1.0, 2.0, 4.0]), price)
    np.testing.assert_allclose(price, [5.0, 3.0, 1.0])


@every_solver
def test_every_solver_keeps_limits_and_says_what_it_brings(solver: RoundSolver) -> None:
    allocator = NomaSca(solver=solver)
    for seed, offload in enumerate([EVERYONE, np.arange(6) % 2 == 0, np.zeros(6, dtype=np.bool_)]):
        frame = drawn_frame(6, seed, pqc_power_w=0.02)
        decision = allocator.allocate(frame, offload)
        assert decision.status == Status.OK
        np.testing.assert_array_equal(decision.offload, offload)
        assert_keeps_limits(frame, decision)
        assert_says_what_it_brings(frame, decision)
        assert decision.objective == pytest.approx(NomaSca().allocate(frame, offload).objective, rel=1e-4)
        assert (decision.notes["rounds"] > 0) == offload.any()


@every_solver
def test_devices_without_data_or_power_stay_out_of_the_rounds(solver: RoundSolver) -> None:
    frame = laid_frame([1e-11, 1e-10, 1e-9, 1e-8], [0.0, 5.0, 5.0, 5.0], 1.0, max_transmit_power_w=[0.1, 0.0, 0.1, 0.1])
    decision = NomaSca(solver=solver).allocate(frame, np.ones(4, dtype=np.bool_))
    assert decision.status == Status.OK
    np.testing.assert_array_equal(decision.transmit_power_w[:2], 0.0)
    assert (decision.transmit_power_w[2:] > 0.0).all()


@every_solver
def test_the_solvers_time_is_in_microseconds(solver: RoundSolver) -> None:
    allocator, frame = NomaSca(max_rounds=3, solver=solver), drawn_frame(6, seed=2)
    allocator.allocate(frame, EVERYONE)  # compiled, and formulated
    began = time.perf_counter_ns()
    decision = allocator.allocate(frame, EVERYONE)
    elapsed_us = (time.perf_counter_ns() - began) * 1e-3
    assert 1.0 < decision.notes["solver_us"] <= elapsed_us


def test_the_rounds_start_where_interferers_still_can_give_way() -> None:
    # In the greedy powers the second device fills its limits and drowns the third: rounds from there end at 541.7.
    frame = laid_frame([1e-12, 3e-11, 3e-11], [16.0, 14.0, 21.0], [9.0, 6.0, 14.0])
    assert NomaSca().allocate(frame, np.ones(3, dtype=np.bool_)).objective == pytest.approx(709.877, rel=1e-4)


@pytest.mark.parametrize("solver", [BarrierNewton(), Watched(BarrierNewton())], ids=["compiled", "round by round"])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
@pytest.mark.parametrize("seed", range(3))
def test_the_rounds_stop_at_the_first_gain_within_the_tolerance(
    solver: RoundSolver, tolerance: float, seed: int
) -> None:
    frame = drawn_frame(6, seed)
    rounds = int(NomaSca(tolerance, solver=solver).allocate(frame, EVERYONE).notes["rounds"])
    before, earlier, last = (
        NomaSca(0.0, max_rounds=count, solver=solver).allocate(frame, EVERYONE).objective
        for count in (rounds - 2, rounds - 1, rounds)
    )
    assert last - earlier <= tolerance * last
    assert earlier - before > tolerance * earlier


def test_threads_that_share_the_cvxpy_problem_do_not_disturb_each_other() -> None:
    allocator = NomaSca(max_rounds=4, solver=CvxpyClarabel())
    frames = [drawn_frame(6, seed) for seed in range(12)]
    one_by_one = [allocator.allocate(frame, EVERYONE) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda frame: allocator.allocate(frame, EVERYONE), frames))
    for ours, theirs in zip(one_by_one, together, strict=True):
        assert theirs.status == ours.status != Status.FALLBACK
        assert theirs.objective == pytest.approx(ours.objective, rel=1e-5)
        np.testing.assert_allclose(theirs.transmit_power_w, ours.transmit_power_w, rtol=2e-2, atol=1e-5)


@pytest.mark.parametrize("devices", [1, 6])
def test_the_cvxpy_problem_is_formulated_once(devices: int) -> None:
    first = cvxpy._formulated(devices)
    assert first.problem.is_dcp(dpp=True)
    assert cvxpy._formulated(devices) is first


@pytest.mark.parametrize("seed", range(4))
def test_round_by_round_equals_all_rounds_compiled(seed: int) -> None:
    frame = drawn_frame(6, seed)
    one_by_one = NomaSca(solver=Watched(BarrierNewton())).allocate(frame, EVERYONE)
    compiled = NomaSca().allocate(frame, EVERYONE)
    assert one_by_one.notes["rounds"] == compiled.notes["rounds"]
    np.testing.assert_allclose(one_by_one.transmit_power_w, compiled.transmit_power_w, rtol=1e-9)


@pytest.mark.parametrize("solver", [BarrierNewton(), Watched(BarrierNewton())], ids=["compiled", "round by round"])
def test_the_best_of_many_is_the_best_of_each(solver: RoundSolver) -> None:
    frame, allocator = drawn_frame(6, seed=1), NomaSca(solver=solver)
    offloads = np.random.default_rng(3).random((12, 6)) < 0.5
    offloads[0] = False
    each = [allocator.allocate(frame, offload) for offload in offloads]
    chosen = allocator.allocate_best(frame, offloads)
    assert chosen.candidate == int(np.argmax([decision.objective for decision in each]))
    best = each[chosen.candidate]
    assert chosen.decision.objective == best.objective
    assert chosen.decision.notes["rounds"] == best.notes["rounds"]
    np.testing.assert_array_equal(chosen.decision.transmit_power_w, best.transmit_power_w)


@every_solver
def test_rounds_that_are_spent_are_said(solver: RoundSolver) -> None:
    frame = drawn_frame(6, seed=2)
    decision = NomaSca(max_rounds=1, solver=solver).allocate(frame, EVERYONE)
    assert decision.status == Status.ROUNDS_SPENT
    assert decision.notes["rounds"] == 1
    assert_keeps_limits(frame, decision)


@pytest.mark.parametrize(
    ("rounds", "nonsense"), [(0, None), (0, np.nan), (0, -1.0), (3, None), (3, np.nan), (3, -1.0), (3, 1e9)]
)
def test_a_failing_solver_leaves_the_last_feasible_point(rounds: int, nonsense: float | None) -> None:
    frame = drawn_frame(6, seed=2)
    decision = NomaSca(solver=FailsAfter(rounds, nonsense)).allocate(frame, EVERYONE)
    assert decision.status == Status.FALLBACK
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)
    until = NomaSca(max_rounds=max(rounds, 1)).allocate(frame, EVERYONE).objective
    assert decision.objective == pytest.approx(until, rel=1e-9) if rounds else 0.0 < decision.objective < until


@pytest.mark.parametrize("queue", [1e-12, 1e-7, 1e-3, 5.0])
def test_a_solver_that_answers_zeros_has_failed_however_little_there_is_to_send(queue: float) -> None:
    frame = laid_frame([1e-11, 1e-10, 1e-9], queue, 1.0)
    decision = NomaSca(solver=FailsAfter(0, nonsense=0.0)).allocate(frame, np.ones(3, dtype=np.bool_))
    assert decision.status == Status.FALLBACK
    assert (decision.transmit_power_w > 0.0).all()
    assert NomaSca().allocate(frame, np.ones(3, dtype=np.bool_)).status == Status.OK


@pytest.mark.parametrize(
    "error", [RuntimeError("numbers"), AttributeError("update"), Panic("unwrap on None")], ids=repr
)
@pytest.mark.parametrize("rounds", [-1, 0, 3])
def test_a_solver_that_raises_has_failed(rounds: int, error: BaseException) -> None:
    frame = drawn_frame(6, seed=2)
    decision = NomaSca(solver=RaisesAfter(rounds, error)).allocate(frame, EVERYONE)
    assert decision.status == Status.FALLBACK
    assert decision.notes["rounds"] == max(rounds, 0)
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)
    left = FailsAfter(max(rounds, 0))
    assert decision.objective == NomaSca(solver=left).allocate(frame, EVERYONE).objective


@pytest.mark.parametrize("error", [MissingExtraError("it", "a library", "sca"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("rounds", [-1, 0])
def test_a_missing_library_and_an_interrupt_are_no_failures_of_a_solver(rounds: int, error: BaseException) -> None:
    with pytest.raises(type(error)):
        NomaSca(solver=RaisesAfter(rounds, error)).allocate(drawn_frame(6, seed=2), EVERYONE)


@pytest.mark.parametrize("library", ["CVXPY", "Clarabel"])
def test_a_missing_library_is_named(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library.lower(), None)
    cvxpy._formulated.cache_clear()
    message = rf"NomaSca through CVXPY needs {library}, which is not installed: pip install 'quedge\[sca\]'"
    with pytest.raises(MissingExtraError, match=message):
        NomaSca(solver=CvxpyClarabel()).allocate(drawn_frame(3, seed=0), np.ones(3, dtype=np.bool_))


def test_the_compiled_solver_loads_no_other() -> None:
    program = (
        "import sys, quedge.allocation.sca; "
        "print([name for name in ('cvxpy', 'clarabel', 'scipy.sparse') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"tolerance": -1.0}, "tolerance: -1.0"), ({"tolerance": np.nan}, "tolerance: nan"), ({"max_rounds": 0}, "max_r")],
)
def test_settings_out_of_range_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NomaSca(**keys)


def answers() -> list[list[float]]:
    """Transmit powers in a few frames, as plain lists."""
    decisions = [NomaSca().allocate(drawn_frame(6, seed), EVERYONE) for seed in range(3)]
    return [decision.transmit_power_w.tolist() for decision in decisions]


def test_the_rounds_are_the_same_without_compilation() -> None:
    program = "import json; from tests.allocation.test_noma_sca import answers; print(json.dumps(answers()))"
    plain = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    np.testing.assert_allclose(json.loads(plain.stdout), answers(), rtol=1e-6, atol=1e-12)
