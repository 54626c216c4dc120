"""Partial offloading against binary: an offloader computes in the same frame, too."""

from __future__ import annotations

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.presentation import OBJECTIVE_RATIO, OFFLOAD_RATIO, POLICY, POWER, QUEUE, Sweep, Table
from quedge.experiments.results import Results
from quedge.model.scenario import BINARY, OFFLOADING, PARTIAL
from quedge.policy.registry import BEST_SINGLE, EXACT, LYDROO_NOMA

ARRIVAL_RATES = (1.5, 2.0, 2.5, 2.8, 3.0, 3.2, 3.4, 3.6, 3.8)


def found_queues(found: Results) -> str:
    """The exact policy's queues both ways, at the paper's load."""
    binary, partial = (
        found.mean("data_queue_mbit", EXACT.name, arrival_rate_mbps=3.0, offloading=mode) for mode in (BINARY, PARTIAL)
    )
    return f"Under the exact policy at 3 Mbit/s the mean queue is {binary:.2f} Mbit binary, {partial:.2f} Mbit partial."


EXPERIMENT = Experiment(
    name="beyond-partial",
    title="Partial offloading",
    caption=(
        "With partial offloading a device that sends computes in the same frame, too, as far as its queue and the "
        "price of its energy allow. Means over the second half of a run."
    ),
    grids=[
        Grid([EXACT, LYDROO_NOMA, BEST_SINGLE], vary(offloading=OFFLOADING, arrival_rate_mbps=ARRIVAL_RATES)),
    ],
    figure=Sweep("arrival_rate_mbps", [QUEUE, POWER, OFFLOAD_RATIO], lines=(POLICY, "offloading")),
    table=Table(
        [("offloading", "offloading"), ("arrival_rate_mbps", "λ (Mbit/s)")],
        [QUEUE, POWER, OFFLOAD_RATIO, OBJECTIVE_RATIO],
    ),
    remarks=[
        "Every optimum is that of its own kind of offloading: what is best where offloading is partial is never worth "
        "less in the same frame than what is best where it is binary."
    ],
    chapter=BEYOND,
    result=found_queues,
)
