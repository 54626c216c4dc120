"""The paper's sweeps with the exact optimum and the learning-free baselines, and the delay."""

from __future__ import annotations

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.paper.fig7 import PQC_POWERS_W
from quedge.experiments.paper.weights import SMALL_V, UNSETTLED_NU, VALUES
from quedge.experiments.paper_numbers import figure7_marks, table3_marks, table4_marks
from quedge.experiments.presentation import (
    AVERAGING,
    DELAY_P95,
    ENERGY_QUEUE,
    MEAN_DELAY,
    OBJECTIVE_RATIO,
    OFFLOAD_RATIO,
    POWER,
    QUEUE,
    Mark,
    Sweep,
    Table,
)
from quedge.experiments.results import Results, at, change, listed
from quedge.experiments.symbols import symbol_of
from quedge.model.scenario import Scenario
from quedge.policy.registry import BEST_PAIR, BEST_SINGLE, EQUIVARIANT, EXACT, LYDROO_NOMA

BEYOND = "Beyond the paper"
COMPARED = (EXACT, EQUIVARIANT, LYDROO_NOMA, BEST_PAIR, BEST_SINGLE)
ARRIVAL_RATES = (2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5)

NOT_THE_SHORTEST = (
    "The exact policy maximises each frame's objective, which weighs queues against rate and power; that is not the "
    "same as the shortest queue, and at large V policies that miss a little of the objective have the shorter one."
)


def _queues_at(found: Results, **keys: float) -> str:
    """Mean data queues of all policies at a value of the key."""
    return f"at {at(**keys)} (Mbit): {listed(found.each('data_queue_mbit', **keys), ',.1f')}"


ARRIVALS = Experiment(
    name="beyond-arrivals",
    title="Arrival rates, with the exact optimum and the baselines",
    caption="Means over the second half of a run.",
    grids=[Grid(COMPARED, vary(arrival_rate_mbps=ARRIVAL_RATES))],
    figure=Sweep("arrival_rate_mbps", [QUEUE, POWER, OFFLOAD_RATIO, OBJECTIVE_RATIO]),
    table=Table([("arrival_rate_mbps", "λ (Mbit/s)")], [QUEUE, POWER, OFFLOAD_RATIO, OBJECTIVE_RATIO]),
    chapter=BEYOND,
    result=lambda found: f"Data queue {_queues_at(found, arrival_rate_mbps=3.2)}.",
)


def found_ratios(found: Results) -> str:
    """How each policy's offloading ratio changes with the power of the module."""
    ends = {
        policy: [found.mean("offload_ratio", policy, pqc_power_w=end) for end in (PQC_POWERS_W[0], PQC_POWERS_W[-1])]
        for policy in found.policies()
    }
    told = "; ".join(f"{policy} {change(ratios, '.1%')}" for policy, ratios in ends.items())
    return f"Offloading ratio from P_q = {PQC_POWERS_W[0]:g} to {PQC_POWERS_W[-1]:g} W: {told}."


CIRCUIT_POWER = Experiment(
    name="beyond-circuit-power",
    title="Power of the PQC module, with the exact optimum and the baselines",
    caption="Means over the second half of a run; crosses are the paper's Figure 7.",
    grids=[Grid(COMPARED, vary(pqc_power_w=PQC_POWERS_W))],
    figure=Sweep("pqc_power_w", [OFFLOAD_RATIO, POWER, QUEUE, OBJECTIVE_RATIO], marks=figure7_marks()),
    table=Table([("pqc_power_w", "P_q (W)")], [OFFLOAD_RATIO, POWER, QUEUE, OBJECTIVE_RATIO], figure7_marks()),
    remarks=[AVERAGING],
    chapter=BEYOND,
    result=found_ratios,
)


def weight_experiment(key: str, what: str, table: str, marks: list[Mark], remark: str) -> Experiment:
    """V or ν at the values of a table of the paper's."""
    return Experiment(
        name=f"beyond-{key}",
        title=f"{what}, with the exact optimum and the baselines",
        caption=f"Means over the second half of a run; crosses are the paper's {table}.",
        grids=[Grid(COMPARED, vary(**{key: VALUES}))],
        figure=Sweep(key, [QUEUE, ENERGY_QUEUE, POWER], logarithmic=True, marks=marks),
        table=Table([(key, symbol_of(key))], [QUEUE, ENERGY_QUEUE, POWER, OBJECTIVE_RATIO], marks),
        remarks=[AVERAGING, remark, NOT_THE_SHORTEST],
        chapter=BEYOND,
        result=lambda found: f"Data queue {_queues_at(found, **{key: VALUES[-1]})}.",
    )


V = weight_experiment("v", "The weight V of the rate", "Table IV", table4_marks(), SMALL_V)
NU = weight_experiment("nu", "The scaling ν of the virtual energy queue", "Table III", table3_marks(), UNSETTLED_NU)


def found_delays(found: Results) -> str:
    """At the paper's arrival rate."""
    rate = Scenario().arrival_rate_mbps
    delays = listed(found.each("delay_p95_frames", arrival_rate_mbps=rate), ".1f")
    return f"95 % of the bits at λ = {rate:g} Mbit/s wait no longer than (frames): {delays}."


DELAY = Experiment(
    name="beyond-delay",
    title="Delay, mean and 95th percentile",
    caption=(
        "Mean delay by Little's law; the percentile is over all bits that arrive in the second half of a run, each "
        "queue first come, first served."
    ),
    grids=[Grid(COMPARED, vary(arrival_rate_mbps=ARRIVAL_RATES))],
    figure=Sweep("arrival_rate_mbps", [MEAN_DELAY, DELAY_P95]),
    table=Table([("arrival_rate_mbps", "λ (Mbit/s)")], [MEAN_DELAY, DELAY_P95]),
    remarks=[
        "Data that arrives during a frame can be processed in the next one at the earliest: one frame is the shortest "
        "delay. Above the largest stable rate delays grow for as long as a run lasts; what is shown there depends on "
        "the length of the run, and bits that still wait at its end count with the time that they have waited."
    ],
    chapter=BEYOND,
    result=found_delays,
)
