"""What V and ν can do together: queue against power."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.paper_numbers import table3_marks, table4_marks
from quedge.experiments.presentation import BUDGET, POWER, QUEUE, ParetoFront
from quedge.experiments.results import Results, at, shortest_within_budget
from quedge.experiments.rows import label_of
from quedge.model.scenario import Scenario
from quedge.policy.registry import EXACT

V_VALUES = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)
NU_VALUES = (3.0, 5.0, 10.0, 20.0, 60.0, 100.0)

PAPER_V, PAPER_NU = Scenario().v, Scenario().nu
MARKS = [
    *(mark._replace(x=PAPER_V, line=label_of(mark.x)) for mark in table3_marks()),
    *(mark._replace(line=label_of(PAPER_NU)) for mark in table4_marks()),
]


def found_on_the_plane(found: Results) -> str:
    """The shortest queue within the power budget, and what V does at the paper's ν."""
    best = shortest_within_budget(found, EXACT.name, BUDGET.value)
    queues = {v: found.mean("data_queue_mbit", EXACT.name, nu=PAPER_NU, v=v) for v in V_VALUES}
    power = found.mean("power_w", EXACT.name, nu=PAPER_NU, v=PAPER_V)
    least = min(queues, key=lambda v: queues[v])
    within = "no setting" if best is None else f"{best[1]:.1f} Mbit at {at(**best[0])} ({best[2]:.4f} W)"
    return (
        f"Shortest data queue within the power budget: {within}; the paper's setting: {queues[PAPER_V]:.1f} Mbit "
        f"({power:.4f} W). At ν = {PAPER_NU:g} the queue is shortest at V = {least:g} Mbit."
    )


EXPERIMENT = Experiment(
    name="beyond-front",
    title="Queue against power: what V and ν can do",
    caption=(
        "The exact policy at pairs of V and ν: one line per ν, the number beside a point is V. Means over the second "
        "half of a run; `quedge tune` searches this plane."
    ),
    grids=[Grid([EXACT], vary(nu=NU_VALUES, v=V_VALUES))],
    figure=ParetoFront(
        POWER,
        QUEUE._replace(scale="log"),
        points="v",
        lines="nu",
        highlight=(PAPER_V, PAPER_NU),
        highlight_name="the paper's V = 20, ν = 60",
        x_limits=(0.0745, 0.0845),
        marks=MARKS,
    ),
    remarks=[
        "The paper's crosses are its agent's, by its Tables III (V = 20) and IV (ν = 60), as far as they lie within "
        "the figure. Queues that have not settled by the end of a run (small ν) draw power that they still owe."
    ],
    chapter=BEYOND,
    result=found_on_the_plane,
)
