"""Several cells on one band."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid
from quedge.experiments.presentation import DELIVERED_RATIO, OFFLOAD_RATIO, POWER, QUEUE, Sweep, Table
from quedge.experiments.results import Results, at, listed
from quedge.experiments.symbols import heading_of
from quedge.policy.registry import BEST_PAIR, BEST_SINGLE, EXACT

DISTANCES_M = (500.0, 700.0, 1000.0, 1400.0, 2000.0, 4000.0)
ASSUMED = ("last", "worst")
CELLS = 7
FRAMES = 4_000


def found_queues(found: Results) -> str:
    """At the smallest and the largest distance, by what is assumed."""
    ends = [
        f"{at(cell_distance_m=end, assumed_interference=assumed)}: "
        + listed(found.each("data_queue_mbit", cell_distance_m=end, assumed_interference=assumed), ",.1f")
        for end in (DISTANCES_M[0], DISTANCES_M[-1])
        for assumed in ASSUMED
    ]
    return f"Data queue (Mbit) at {'; at '.join(ends)}."


EXPERIMENT = Experiment(
    name="beyond-cells",
    title="Several cells on one band",
    caption=(
        f"{CELLS} cells of ten devices on a hexagonal grid, each deciding alone. What a cell takes the others' "
        "interference for: that of the last frame, or the worst."
    ),
    grids=[
        Grid(
            [EXACT, BEST_PAIR, BEST_SINGLE],
            [
                {"cells": CELLS, "devices": 10 * CELLS, "cell_distance_m": distance, "assumed_interference": assumed}
                for distance in DISTANCES_M
                for assumed in ASSUMED
            ],
            frames=FRAMES,
        )
    ],
    figure=Sweep(
        "cell_distance_m", [QUEUE, POWER, OFFLOAD_RATIO, DELIVERED_RATIO], lines=("policy", "assumed_interference"),
        logarithmic=True,
    ),
    table=Table(
        [("cell_distance_m", heading_of("cell_distance_m")), ("assumed_interference", "assumed")],
        [QUEUE, POWER, OFFLOAD_RATIO, DELIVERED_RATIO],
    ),
    chapter=BEYOND,
    result=found_queues,
)  # fmt: skip
