"""Figures 8, 9 and Tables III, IV: the weight V of the rate, and the scaling ν of the virtual energy queue."""

from __future__ import annotations

from collections.abc import Sequence

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.paper_numbers import by_line, table3_marks, table4_marks
from quedge.experiments.presentation import (
    AVERAGING,
    BUDGET,
    ENERGY_QUEUE,
    POWER,
    QUEUE,
    RATE,
    RATE_TRAP,
    Mark,
    Table,
    TimeSeries,
)
from quedge.experiments.results import Results, at, shortest_within_budget
from quedge.experiments.symbols import symbol_of
from quedge.policy.registry import BESIDE, LYDROO_NOMA

VALUES = (1.0, 50.0, 100.0, 500.0, 1000.0)
SMALL_V = (
    "A large V makes queues long, as in the paper; here they still fall at the end of the run, since the learning "
    "transient is the longer the larger V is. A small V does, too: at V = 1 the queue is longer than at V = 50, "
    "in the paper (24.6 and 18.6 Mbit, without a word) as here. That is no mistake: at small V a nearly empty queue "
    "is not worth its energy, so it stays. Theory only says that the queue is at most of order V. The paper's "
    "defaults, V = 20 and ν = 60, stand in no row."
)
UNSETTLED_NU = (
    "At ν = 1 the energy queue has not settled within 10,000 frames, for the paper or for us: until it has, power "
    "exceeds its budget. The paper says that the data queue grows without bound from ν = 500 on. At ν = 500 its own "
    "weighted rate, 37.52 Mbit/s, is what arrives, and here the queue settles at that length; only at ν = 1,000 it "
    "grows for as long as the run lasts."
)
_TABLES = {3: "Table III", 4: "Table IV"}


def shortest_queue(found: Results, policy: str, marks: Sequence[Mark]) -> str:
    """The shortest queue within the power budget, and the paper's at the same value of the key."""
    best = shortest_within_budget(found, policy, BUDGET.value)
    if best is None:
        return f"No setting keeps the power budget of {BUDGET.value:g} W."
    variant, queue, power = best
    (value,) = variant.values()
    paper = {mark.measure: mark.value for mark in marks if mark.x == value}
    return (
        f"Shortest data queue within the power budget: {queue:.1f} Mbit at {at(**variant)} ({power:.4f} W; "
        f"the paper there: {paper['data_queue_mbit']:.1f} Mbit, {paper['power_w']:.4f} W)."
    )


def figure_and_table(
    key: str, what: str, figure: int, table: int, fixed: str, marks: list[Mark], remark: str
) -> tuple[Experiment, Experiment]:
    """The paper's figure of its agent over time, one line per value of a key, and its table of means."""
    symbol = symbol_of(key)

    def found_queues(found: Results) -> str:
        return shortest_queue(found, LYDROO_NOMA.name, marks)

    drawn = Experiment(
        name=f"fig{figure}",
        title=f"Figure {figure}: {what}",
        caption=f"Queues, power and weighted rate of lydroo-noma over time, one line per {symbol}.",
        grids=[Grid([LYDROO_NOMA], vary(**{key: VALUES}))],
        figure=TimeSeries([QUEUE, ENERGY_QUEUE, POWER, RATE], lines=key, marks=by_line(marks)),
        remarks=[f"The paper's marks at the right edge are those of {_TABLES[table]}. {AVERAGING}", remark, RATE_TRAP],
        result=found_queues,
    )
    listed = Experiment(
        name=f"table{table}",
        title=f"{_TABLES[table]}: {what}",
        caption=f"{fixed}; mean ± half of the 95 % confidence interval over the seeds.",
        grids=[Grid([LYDROO_NOMA, *BESIDE], vary(**{key: VALUES}))],
        table=Table([(key, symbol)], [QUEUE, ENERGY_QUEUE, RATE, POWER], marks),
        remarks=[AVERAGING, remark, RATE_TRAP],
        result=found_queues,
    )
    return drawn, listed


FIG8, TABLE4 = figure_and_table("v", "the weight V of the rate", 8, 4, "ν = 60", table4_marks(), SMALL_V)
FIG9, TABLE3 = figure_and_table(
    "nu", "the scaling ν of the virtual energy queue", 9, 3, "V = 20", table3_marks(), UNSETTLED_NU
)
