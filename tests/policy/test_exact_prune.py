"""Cells are dropped by their loss against the bound: none that may hold the optimum, and every other one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quedge.model.terms import Terms, frame_terms, highest_level
from quedge.policy.exact.bound import Bound
from quedge.policy.exact.exact import solve_chain
from quedge.policy.exact.lattice import Lattice
from quedge.policy.exact.prune import living_cells
from tests.frames import drawn_frame
from tests.policy.test_exact_bound import bounded


def alive_by_definition(terms: Terms, lattice: Lattice, bound: Bound, gap: float) -> np.ndarray:
    """Whether the least loss of a cell is within the gap, over all living cells that a step may come from."""
    loss = np.full(lattice.level.size, np.inf)
    unused_loss = 0.0
    for k in range(terms.device.size):
        here, after = (cells_of(lattice, layer) for layer in (k, k + 1))
        gain = terms.rate_value[k] * np.log(lattice.level) - terms.level_price[k] * lattice.level
        promised = bound.value + gain  # what the bound says of a start there
        cost, local = terms.offload_cost[k], terms.local_value[k]
        for j in after:
            reached = bound.peak[j] - cost
            found = [
                max(loss[i] + min(promised[i], promised[i + 1]) - reached, 0.0)
                for i in here
                if lattice.node_index[i] <= lattice.node_index[j]
                and highest_level(terms, k, lattice.level[i + 1]) >= lattice.level[j]
            ]
            found += [
                loss[i] + max(min(bound.value[i + e] - bound.value[j + e] for e in (0, 1)) - local, 0.0)
                for i in here
                if lattice.node_index[i] == lattice.node_index[j]
            ]
            if lattice.level[j] < highest_level(terms, k, 1.0):
                from_unused = unused_loss + bound.unused[k] - terms.level_price[k]
                found.append(max(from_unused - reached, unused_loss))
            loss[j] = min((each for each in found if each <= gap), default=math.inf)
        unused_loss += max(bound.unused[k] - bound.unused[k + 1] - local, 0.0)
    return loss < math.inf


def cells_of(lattice: Lattice, layer: int) -> list[int]:
    """The nodes of a layer at which a cell begins."""
    nodes = range(lattice.first[layer], lattice.first[layer + 1] - 1)
    return [node for node in nodes if lattice.node_index[node + 1] == lattice.node_index[node] + 1]


@pytest.mark.parametrize("cells", [3, 9])
@pytest.mark.parametrize("seed", range(6))
def test_a_cell_lives_if_the_least_loss_that_leads_there_is_within_the_gap(seed: int, cells: int) -> None:
    frame = drawn_frame(4, seed, pqc_power_w=0.02 * (seed % 2))
    terms = frame_terms(*frame)
    lattice, bound = bounded(frame, cells)
    _, _, best, _ = solve_chain(terms, 1e-9)
    for share in (0.0, 0.1, 0.5, 1.0, 3.0):
        gap = share * (bound.unused[0] - best) + 1e-9 * best
        alive = living_cells(terms, lattice, bound, gap)
        lower, upper = (alive_by_definition(terms, lattice, bound, gap + e * best) for e in (-1e-11, 1e-11))
        assert (alive >= lower).all()
        assert (alive <= upper).all()
