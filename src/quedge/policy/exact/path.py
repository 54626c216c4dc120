"""From the bound to a decision: take in every layer the step that the bound promises most of."""

from __future__ import annotations

import math

from quedge.model.compiled import Bools, Floats, kernel
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.bound import Bound, Layer, between_nodes, cell_value, crest_level, node_below
from quedge.policy.exact.lattice import Lattice


@kernel
def follow_bound(terms: Terms, lattice: Lattice, bound: Bound, offload: Bools, level: Floats) -> None:
    """Fill `offload` and `level` with the feasible path along which the bound is largest."""
    start = 1.0
    for k in range(offload.size):
        low, high = lattice.first[k + 1], lattice.first[k + 2]
        after = Layer(lattice.node_index[low:high], lattice.level[low:high], bound.value[low:high])
        nodes = after.level
        node = 0
        stay = bound.idle[k + 1]
        if start > 1.0:
            node = node_below(nodes, start)
            stay = -math.inf
            inside = node + 1 < nodes.size and nodes[node] <= start <= nodes[node + 1]
            if inside and after.node_index[node + 1] == after.node_index[node] + 1:
                stay = between_nodes(after, node, start)
        log_start = math.log(start)
        stay += terms.local_value[k] + terms.rate_value[k] * log_start - terms.level_price[k] * start
        stay += terms.offload_cost[k]  # now comparable with the value at the end of a step
        end = highest_level(terms, k, start)
        best, reached = -math.inf, start
        for j in range(node, nodes.size - 1):
            if nodes[j] >= end:
                break
            if bound.peak[low + j] <= max(best, stay):
                continue
            slope = (after.value[j + 1] - after.value[j]) / (nodes[j + 1] - nodes[j])
            target = min(max(crest_level(terms, k, after, j, slope, 0.0), start), end, nodes[j + 1])
            promised = cell_value(terms, k, lattice.step, after, j, slope, 0.0, target)
            if promised > best:
                best, reached = promised, target
        offload[k] = best > stay and reached > start
        if offload[k]:
            start = reached
        level[k] = start
