"""Draws docs/recursion.svg, the picture of docs/exact.md: `python docs/drawings/recursion.py`.

What is drawn is one frame as the compiled solver sees it: its lattice, bound, living cells and decision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import quedge
from quedge.model.cell import cell_of
from quedge.model.terms import Terms, frame_terms, highest_level
from quedge.policy.exact.bound import Bound, bound_from_above
from quedge.policy.exact.exact import highest_useful_level, solve_chain, steepest_values
from quedge.policy.exact.lattice import Lattice, full_lattice
from quedge.policy.exact.prune import living_cells

DEVICES, COARSE, FINE = 6, 14, 4_000  # cells of the drawn lattice, and of one that stands for the truth
INK, PALE, LIVING, PATH, BOUND = "#333333", "#d9dde3", "#9ecae1", "#c2410c", "#1d4ed8"


def a_frame() -> Terms:
    """A frame in which three of six devices offload."""
    scenario = quedge.Scenario(devices=DEVICES)
    gain = np.array([9e-12, 2.0e-11, 3.0e-11, 1.2e-11, 6e-12, 1.6e-11])
    queue = np.array([6.0, 9.0, 5.0, 8.0, 7.0, 3.0])
    return frame_terms(cell_of(scenario), gain, queue, np.array([3.0, 5.0, 9.0, 2.0, 4.0, 8.0]))


def draw_layers(axis: Any, terms: Terms, lattice: Lattice, alive: Any, offload: Any, level: Any) -> None:
    """Cells of every layer, those that live, and the best path from level 1."""
    for k in range(1, DEVICES + 1):
        first, last = lattice.first[k], lattice.first[k + 1] - 1
        for node in range(first, last):
            color = LIVING if alive[node] else PALE
            low, high = np.log2(lattice.level[node]), np.log2(lattice.level[node + 1])
            axis.add_patch(
                matplotlib.patches.Rectangle((k - 0.16, low), 0.32, high - low, fc=color, ec="white", lw=0.8)
            )
    before = 1.0
    for k in range(DEVICES):
        after = level[k]
        start, end, limit = np.log2(before), np.log2(after), np.log2(highest_level(terms, k, before))
        axis.plot([k, k + 1], [start, end], color=PATH, lw=2.2, marker="o", ms=4, zorder=3)
        name, offset, side = ("offloads", (-14, 6), "right") if offload[k] else ("local", (0, 6), "center")
        middle = (k + 0.5, (start + end) / 2)
        axis.annotate(name, middle, offset, textcoords="offset points", ha=side, fontsize=8, color=PATH)
        if offload[k]:
            axis.plot([k + 1.22] * 2, [start, limit], color=INK, lw=1.0, marker="_", ms=7)
        before = after
    for color, name in ((LIVING, "cell that may hold the optimum"), (PALE, "cell that is dropped")):
        axis.add_patch(matplotlib.patches.Rectangle((0, 0), 0, 0, fc=color, label=name))
    axis.plot([], [], color=PATH, lw=2.2, marker="o", ms=4, label="the decision")
    axis.plot([], [], color=INK, lw=1.0, marker="_", ms=7, label="levels within an offloader's limits")
    axis.legend(framealpha=1.0, edgecolor="white", fontsize=8, loc="lower right")
    axis.set_xlim(-0.9, DEVICES + 0.6)
    axis.set_xticks(range(DEVICES + 1), ["start", *(f"after\n{k}" for k in range(1, DEVICES + 1))])
    axis.set_xlabel("devices, from the last decoded (weakest channel) to the first")
    axis.set_ylabel("log$_2$ of the level s")


def draw_value(axis: Any, terms: Terms, k: int, coarse: Lattice, bound: Bound, fine: Lattice, exact: Bound) -> None:
    """What devices k and later can still add, against the level: the bound of the coarse lattice, and R_k itself."""
    here = slice(coarse.first[k], coarse.first[k + 1])
    there = slice(fine.first[k], fine.first[k + 1])
    level = np.geomspace(coarse.level[here][0], coarse.level[here][-1], 500)
    line = np.interp(level, coarse.level[here], bound.value[here])
    axis.plot(np.log2(level), line, color=BOUND, lw=1.4, label="bound: a straight line a cell")
    axis.plot(np.log2(coarse.level[here]), bound.value[here], color=BOUND, marker="o", ms=4, ls="")
    axis.plot(
        np.log2(fine.level[there]),
        exact.value[there],
        color=INK,
        lw=1.2,
        ls="--",
        label="what can be reached, $R_3(s)$",
    )
    axis.set_xlabel("log$_2$ of the level s from which device 3 starts")
    axis.set_ylabel("what devices 3 to 6 add at most")
    axis.legend(frameon=False, fontsize=8)


def main() -> None:
    """Draw the picture."""
    matplotlib.rcParams.update(
        {"svg.hashsalt": "quedge", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    terms = a_frame()
    steepest = steepest_values(terms)
    highest = highest_useful_level(terms)
    offload, level, best, _ = solve_chain(terms, 1e-6)
    coarse, fine = (full_lattice(DEVICES, highest, cells, 10.0) for cells in (COARSE, FINE))
    bound, exact = (bound_from_above(terms, lattice, steepest) for lattice in (coarse, fine))
    alive = living_cells(terms, coarse, bound, bound.unused[0] - best)
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    layers, value = figure.subplots(1, 2, width_ratios=(1.35, 1))
    draw_layers(layers, terms, coarse, alive, offload, level)
    draw_value(value, terms, 2, coarse, bound, fine, exact)
    figure.savefig(Path(__file__).parent.parent / "recursion.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
