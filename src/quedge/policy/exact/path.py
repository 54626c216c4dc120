"""From the bound to a decision: take in every layer the step that the bound promises most of."""

from __future__ import annotations

import math

from quedge.model.compiled import Bools, Floats, kernel
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.bound import Bound, cell_value, crest_level, node_below
from quedge.policy.exact.lattice import Lattice


@kernel
def follow_bound(terms: Terms, lattice: Lattice, bound: Bound, offload: Bools, level: Floats) -> None:
    """Fill `offload` and `level` with the feasible path along which the bound is largest."""
    start = 1.0
    for k in range(offload.size):
        low, high = lattice.first[k + 1], lattice.first[k + 2]
        nodes, value = lattice.level[low:high], bound.value[low:high]
        alpha, beta = terms.rate_value[k], terms.level_price[k]
        node = 0
        stay = bound.idle[k + 1]
        if start > 1.0:
            node = node_below(nodes, start)
            stay = -math.inf
            inside = node + 1 < nodes.size and nodes[node] <= start <= nodes[node + 1]
            if inside and lattice.node_index[low + node + 1] == lattice.node_index[low + node] + 1:
                share = (start - nodes[node]) / (nodes[node + 1] - nodes[node])
                stay = value[node] + share * (value[node + 1] - value[node])
        stay += terms.local_value[k] + alpha * math.log(start) - beta * start + terms.offload_cost[k]
        end = highest_level(terms, k, start)
        best, reached = -math.inf, start
        for j in range(node, nodes.size - 1):
            if nodes[j] >= end:
                break
            if bound.peak[low + j] <= max(best, stay):
                continue
            slope = (value[j + 1] - value[j]) / (nodes[j + 1] - nodes[j])
            crest = crest_level(alpha, beta, slope, 0.0, nodes[j], nodes[j + 1])
            target = min(max(crest, nodes[j], start), end, nodes[j + 1])
            log_node = lattice.node_index[low + j] * lattice.step
            promised = cell_value(alpha, beta, log_node, nodes[j], nodes[j + 1], value[j], slope, 0.0, target)
            if promised > best:
                best, reached = promised, target
        offload[k] = best > stay and reached > start
        if offload[k]:
            start = reached
        level[k] = start
