"""The exact policy: bound from above, follow the bound to a decision, drop cells, refine the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quedge.model.arrays import copy_into, total_of
from quedge.model.cell import Cell
from quedge.model.frame import Frame, PackedFrame, cell_of_packed, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel, unlocked_kernel, without_refcount
from quedge.model.terms import Terms, chain_objective, frame_terms, powers_of_levels
from quedge.policy.compiled import (
    OBJECTIVE,
    Compiled,
    check_tolerance,
    fill_told,
    kernel_address,
    own_settings,
    tell,
    tell_bound,
)
from quedge.policy.exact.bound import bound_from_above
from quedge.policy.exact.convex import FEWEST_STEPS, has_small_steps, solve_small_steps
from quedge.policy.exact.lattice import lattice_in_reach, refined_lattice
from quedge.policy.exact.partial.search import solve_split
from quedge.policy.exact.path import follow_bound, polish
from quedge.policy.exact.prune import living_cells
from quedge.policy.exact.span import (
    CELLS,
    EPSILON,
    FACTOR,
    MAX_NODES,
    ROUNDING,
    SMALLEST_STEP,
    WIDEST_STEP,
    highest_useful_level,
    highest_useful_levels,
    rounding_of_sums,
    steepest_values,
)


@kernel
def solve_chain(terms: Terms, tolerance: float) -> tuple[Bools, Floats, float, float]:
    """The best decision of a frame, binary choices and levels together, with a bound on all others.

    Args:
        terms: the frame's terms.
        tolerance: stop when the bound is within this relative distance of the decision's objective.

    Returns:
        offload and level after each device of the chain, shape (devices,), the objective, and the upper bound.
    """
    terms = without_refcount(terms)
    devices = terms.device.size
    offload, level = np.zeros(devices, np.bool_), np.ones(devices)
    best_offload, best_level = offload.copy(), level.copy()
    best = chain_objective(terms, offload, level)
    useful = highest_useful_levels(terms)
    highest = useful[-1]
    if highest <= 1.0:  # nobody can gain by offloading
        return best_offload, best_level, best, best * (1.0 + ROUNDING)
    steepest = steepest_values(terms)
    rounding = rounding_of_sums(steepest, highest)
    if highest <= 1.0 + 4.0 * EPSILON:  # levels that a double cannot tell apart
        return best_offload, best_level, best, best * (1.0 + ROUNDING) + rounding
    lattice = lattice_in_reach(useful, CELLS, WIDEST_STEP)
    lowest_bound = math.inf
    while True:
        bound = bound_from_above(terms, lattice, steepest)
        follow_bound(terms, lattice, bound, offload, level)
        polish(terms, offload, level)
        objective = chain_objective(terms, offload, level)
        if objective > best:
            best = objective
            copy_into(best_offload, offload)
            copy_into(best_level, level)
        lowest_bound = min(lowest_bound, bound.unused[0])
        upper = max(lowest_bound, best) * (1.0 + ROUNDING) + rounding
        if upper - best <= tolerance * best or lattice.step <= SMALLEST_STEP:
            break
        alive = living_cells(terms, lattice, bound, bound.unused[0] * (1.0 + ROUNDING) + rounding - best)
        living = alive.sum()
        if living == 0:  # no path beats the decision
            upper = best * (1.0 + ROUNDING) + rounding
            break
        if living * FACTOR > MAX_NODES * devices:
            break
        lattice = refined_lattice(lattice, alive, FACTOR)
    return best_offload, best_level, best, upper


@kernel
def bound_chain(terms: Terms, offload: Bools) -> float:
    """An upper bound on the objective of all decisions of a frame, by one pass over the first lattice.

    Fills in who offloads along the path of which the bound promises most, shape (devices,).
    """
    terms, offload = without_refcount((terms, offload))
    offload[:] = False
    useful = highest_useful_levels(terms)
    local = total_of(terms.local_value)
    if useful[-1] <= 1.0:
        return local * (1.0 + ROUNDING)
    steepest = steepest_values(terms)
    rounding = rounding_of_sums(steepest, useful[-1])
    if useful[-1] <= 1.0 + 4.0 * EPSILON:
        return local * (1.0 + ROUNDING) + rounding
    lattice = lattice_in_reach(useful, CELLS, WIDEST_STEP)
    bound = bound_from_above(terms, lattice, steepest)
    follow_bound(terms, lattice, bound, offload, np.empty(offload.size))
    return float(max(bound.unused[0], local) * (1.0 + ROUNDING) + rounding)


@kernel
def solve_frame(
    packed: PackedFrame, tolerance: float
) -> tuple[tuple[Bools, Floats, Floats, Floats, Floats], float, float]:
    """A packed frame's best decision as `powers_of_levels` gives it, its objective, and its upper bound."""
    frame = unpacked_frame(*packed)
    terms = frame_terms(*frame)
    offload, level, objective, upper = solve_chain(terms, tolerance)
    return powers_of_levels(terms, frame, offload, level), objective, upper


@kernel
def solve_terms(terms: Terms, tolerance: float) -> tuple[Bools, Floats, float, float]:
    """As `solve_chain`, by the convex bound where many devices each move the level by little."""
    highest = highest_useful_level(terms)
    if not has_small_steps(terms, highest):
        return solve_chain(terms, tolerance)
    offload, level, objective, upper = solve_small_steps(terms, highest, tolerance)
    if upper - objective > tolerance * objective:
        other_offload, other_level, other_objective, other_upper = solve_chain(terms, tolerance)
        upper = min(upper, other_upper)
        if other_objective > objective:
            offload, level, objective = other_offload, other_level, other_objective
    return offload, level, objective, upper


def _of_frames(solve: Callable[[Terms, float], tuple[Bools, Floats, float, float]]) -> Callable[..., None]:
    """`solve_frames` by one of the solvers."""

    @unlocked_kernel
    def solve_frames_by(
        cell: Cell,
        channel_gain: Floats,
        data_queue_mbit: Floats,
        energy_queue: Floats,
        tolerance: float,
        objective: Floats,
        upper_bound: Floats,
    ) -> None:
        for t in range(channel_gain.shape[0]):
            terms = frame_terms(cell, channel_gain[t], data_queue_mbit[t], energy_queue[t])
            _, _, objective[t], upper_bound[t] = solve(terms, tolerance)

    return solve_frames_by


_solve_frames_of_few, _solve_frames_of_many = _of_frames(solve_chain), _of_frames(solve_terms)
_solve_partial_frames = _of_frames(solve_split)


def solve_frames(
    cell: Cell,
    channel_gain: Floats,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    tolerance: float,
    objective: Floats,
    upper_bound: Floats,
) -> None:
    """Objective and upper bound of many frames; arrays of shape (frames, devices), results of shape (frames,).

    Where devices are few, nobody waits until the convex bound is compiled.
    """
    solve = _solve_frames_of_few if channel_gain.shape[1] < FEWEST_STEPS else _solve_frames_of_many
    solve = _solve_partial_frames if cell.is_partial > 0.0 else solve
    solve(cell, channel_gain, data_queue_mbit, energy_queue, tolerance, objective, upper_bound)


def _deciding(solve: Callable[[Terms, float], tuple[Bools, Floats, float, float]]) -> Callable[..., None]:
    """The policy's kernel by one of the solvers."""

    @kernel
    def decide_by(
        packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats
    ) -> None:
        tolerance = own[0]
        frame = unpacked_frame(*packed)
        terms = frame_terms(*frame)
        decided, level, objective, upper_bound = solve(terms, tolerance)
        tell(powers_of_levels(terms, frame, decided, level), objective, offload, powers, told)
        tell_bound(upper_bound, objective, tolerance, told)

    return decide_by


_decide, _decide_many, _decide_partial = _deciding(solve_chain), _deciding(solve_terms), _deciding(solve_split)


@dataclass(frozen=True)
class Exact(Compiled):
    """The best offloading decision and powers of each frame, with a bound that no other decision exceeds.

    Problem (17) is non-convex and has 2^N binary decisions, but its devices are coupled by one number only: the
    received power of those decoded later. Dynamic programming over that number, on cells that are bounded from above
    and refined only where the optimum can still be, takes time linear in N.

    Among devices of equal channel gain the one listed first is decoded last. A decision's status tells whether the
    tolerance was met.

    Attributes:
        tolerance: relative distance between upper bound and objective at which a frame counts as solved.

    Example:
        >>> decision = quedge.Exact(tolerance=1e-4).decide(frame, rng)
        >>> print(decision.offload, decision.upper_bound <= (1.0 + 1e-4) * decision.objective)
        [ True  True False] True

    Source: problem (17); decoding order and limits by eqs. (20)-(30). The method is ours: `docs/exact.md`.
    """

    tolerance: float = 1e-3
    kernel: ClassVar = _decide

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)

    @classmethod
    def kernel_for(cls, devices: int, is_partial: bool = False) -> Callable[..., None]:
        """See `Compiled.kernel_for`."""
        if is_partial:
            return _decide_partial
        return _decide if devices < FEWEST_STEPS else _decide_many

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(self.tolerance)


def exact_objectives(
    cell: Cell,
    channel_gain: NDArray[np.float64],
    data_queue_mbit: NDArray[np.float64],
    energy_queue: NDArray[np.float64],
    tolerance: float = 1e-3,
) -> NDArray[np.float64]:
    """The best objective (17) of many frames, shape (frames,), in one compiled call; `tolerance` as in `Exact`.

    Channel gains (W/W), data queues (Mbit) and virtual energy queues are of shape (frames, devices).
    """
    states = channel_gain, data_queue_mbit, energy_queue
    numbers, each = packed_frame(Frame(cell, *states))[:2]
    return exact_objectives_in((numbers, each[np.newaxis]), states, tolerance)


def exact_objectives_in(
    cells: tuple[Floats, Floats], states: tuple[Floats, Floats, Floats], tolerance: float
) -> NDArray[np.float64]:
    """As `exact_objectives`, of frames whose cells may differ; both arguments as in `fill_told`."""
    frames, devices = states[0].shape
    objective, upper_bound = np.empty(frames), np.empty(frames)
    address = kernel_address(Exact(tolerance), devices, cell_of_packed(cells[0], cells[1][0]).is_partial > 0.0)
    if address:  # of what decides: to compile the solver into another kernel takes seconds
        fill_told(address, own_settings(tolerance), cells, states, OBJECTIVE, objective)
        return objective
    numbers, each = cells
    for first in range(0, frames, frames if len(each) == 1 else 1):
        part = slice(first, frames if len(each) == 1 else first + 1)
        cell = cell_of_packed(numbers, each[min(first, len(each) - 1)])
        gain, data, energy = (values[part] for values in states)
        solve_frames(cell, gain, data, energy, tolerance, objective[part], upper_bound[part])
    return objective
