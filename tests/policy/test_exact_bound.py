"""The bound of the exact policy against the oracle, at every layer and level, before any decision is found.

Behind a policy that finds the optimum a bound that is too low would hide: here it stands alone, on lattices as
coarse as they come. What devices k, k+1, ... of the chain can add from level s is the optimum of a cell that has
only those devices, in s times the noise.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.model.frame import Frame
from quedge.model.terms import Terms, frame_terms, highest_level
from quedge.policy.exact.bound import Bound, bound_from_above
from quedge.policy.exact.lattice import Lattice, full_lattice, lattice_in_reach
from quedge.policy.exact.span import highest_useful_level, highest_useful_levels, steepest_values
from tests import oracle
from tests.frames import drawn_frame
from tests.policies import permuted
from tests.strategies import ORDINARY_GAINS, frames


def reachable_levels(terms: Terms) -> list[float]:
    """The highest level from which each device of the chain can start, and the highest after all of them."""
    highest = [1.0]
    for k in range(terms.device.size):
        highest.append(highest_level(terms, k, highest[-1]))
    return highest


def bounded(frame: Frame, cells: int) -> tuple[Lattice, Bound]:
    """The bound on a lattice of that many cells."""
    terms = frame_terms(*frame)
    highest = reachable_levels(terms)[-1]
    lattice = full_lattice(terms.device.size, highest, cells, 100.0)
    return lattice, bound_from_above(terms, lattice, steepest_values(terms))


def optimum_from(frame: Frame, k: int, level: float) -> float:
    """The most that device k of the chain and those after it add from `level`."""
    later = permuted(frame, np.argsort(frame.channel_gain, kind="stable")[k:])
    return oracle.enumeration(later._replace(cell=later.cell._replace(noise_w=frame.cell.noise_w * level))).objective


@pytest.mark.parametrize("cells", [2, 5, 28])
@pytest.mark.parametrize("seed", range(6))
def test_the_bound_of_every_layer_is_never_below_its_optimum(seed: int, cells: int) -> None:
    frame = drawn_frame(4, seed, pqc_power_w=0.02 * (seed % 2))
    _, bound = bounded(frame, cells)
    for k in range(4):
        assert bound.unused[k] >= optimum_from(frame, k, 1.0) * (1.0 - 1e-9)


@pytest.mark.parametrize("cells", [2, 5, 28])
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_at_the_nodes_is_never_below_the_optimum(seed: int, cells: int) -> None:
    frame = drawn_frame(4, seed)
    lattice, bound = bounded(frame, cells)
    reachable = reachable_levels(frame_terms(*frame))  # higher levels hold no path, and need no bound
    for k in (1, 2, 3):
        nodes = slice(lattice.first[k], lattice.first[k + 1])
        for level, value in list(zip(lattice.level[nodes], bound.value[nodes], strict=True))[:: max(1, cells // 5)]:
            if level <= reachable[k]:
                optimum = optimum_from(frame, k, level)
                assert value >= optimum - 1e-9 * abs(optimum)


@given(frame=frames(min_devices=2, max_devices=3, powers_of_ten=ORDINARY_GAINS), cells=st.integers(2, 40))
def test_the_bound_is_never_below_the_optimum_in_any_cell(frame: Frame, cells: int) -> None:
    if reachable_levels(frame_terms(*frame))[-1] <= 1.0 + 1e-12:
        return  # nobody can send anything: there is nothing to bound
    _, bound = bounded(frame, cells)
    optimum = oracle.enumeration(frame)
    reached = oracle.evaluate(frame, optimum.offload, optimum.transmit_power_w, optimum.cpu_frequency_hz)
    assert bound.unused[0] >= optimum.objective - 1e-9 * oracle.magnitude(frame, reached)


@given(frame=frames(min_devices=2, max_devices=3, powers_of_ten=ORDINARY_GAINS), cells=st.integers(2, 40))
def test_levels_that_the_first_lattice_leaves_out_hold_no_optimum(frame: Frame, cells: int) -> None:
    terms = frame_terms(*frame)
    useful = highest_useful_levels(terms)
    assert (np.diff(useful, prepend=1.0) >= 0.0).all()
    assert useful[-1] <= highest_useful_level(terms)
    bound = float(terms.local_value.sum())
    if useful[-1] > 1.0 + 1e-12:
        lattice = lattice_in_reach(useful, cells, 100.0)
        bound = bound_from_above(terms, lattice, steepest_values(terms)).unused[0]
    optimum = oracle.enumeration(frame)
    reached = oracle.evaluate(frame, optimum.offload, optimum.transmit_power_w, optimum.cpu_frequency_hz)
    assert bound >= optimum.objective - 1e-9 * oracle.magnitude(frame, reached)


def test_the_first_lattice_ends_a_cell_above_the_useful_levels() -> None:
    useful = np.array([1.0, 2.0, 2.0, 8.0])
    lattice = lattice_in_reach(useful, 6, 100.0)
    assert list(np.diff(lattice.first)) == [0, 0, 4, 4, 8]  # ln 2 is two cells of six: nodes 0 to 2, and one more
    for k, highest in enumerate(useful, start=1):
        nodes = lattice.level[lattice.first[k] : lattice.first[k + 1]]
        assert highest == 1.0 or nodes[-2] == pytest.approx(highest)


def test_the_bound_tightens_to_the_optimum_as_the_lattice_gets_finer() -> None:
    frame = drawn_frame(4, seed=9)
    optimum = oracle.enumeration(frame).objective
    slack = [bounded(frame, cells)[1].unused[0] / optimum - 1.0 for cells in (16, 128, 1024)]
    assert slack[2] < 1e-4
    assert slack[2] < 0.1 * slack[0]
