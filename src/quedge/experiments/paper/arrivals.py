"""Figures 4 and 5: arrival rates at low and at high load."""

from __future__ import annotations

from collections.abc import Sequence

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.paper_numbers import arrival_rate_marks
from quedge.experiments.presentation import POWER, QUEUE, RATE, RATE_TRAP, Level, Sweep
from quedge.experiments.results import listed
from quedge.policy.registry import BESIDE, PAPER_SCHEMES


def arrival_experiment(
    name: str, title: str, figure: int, rates: Sequence[float], queue_level: Level | None, remarks: Sequence[str]
) -> Experiment:
    """The three schemes at some arrival rates (Mbit/s), beside a figure of the paper's."""
    digits = ",.0f" if rates[-1] > 3.0 else ".1f"  # queues of hundreds and more at high load
    return Experiment(
        name=name,
        title=title,
        caption="Data queue and power per device, weighted rate of the cell; means over the second half of a run.",
        grids=[Grid([*PAPER_SCHEMES, *BESIDE], vary(arrival_rate_mbps=rates))],
        figure=Sweep(
            "arrival_rate_mbps", [QUEUE._replace(level=queue_level), POWER, RATE], marks=arrival_rate_marks(figure)
        ),
        remarks=[RATE_TRAP, *remarks],
        result=lambda found: (
            f"Data queue at λ = {rates[-1]:g} Mbit/s (Mbit): "
            f"{listed(found.each('data_queue_mbit', arrival_rate_mbps=rates[-1]), digits)}."
        ),
    )


FIG4 = arrival_experiment(
    "fig4",
    "Figure 4: low load, arrival rates from 2.0 to 3.0 Mbit/s",
    4,
    (2.0, 2.2, 2.4, 2.6, 2.8, 3.0),
    Level(40.0, "paper:\nbelow 40"),
    [
        "The paper gives SCA a weighted rate of 40 Mbit/s at low load, falling slowly. At λ = 2 only 25 Mbit/s arrive: "
        "no policy can process more for long.",
        "The paper finds the shortest queue with the heuristic at every load; here SCA's is no longer.",
    ],
)


FIG5 = arrival_experiment(
    "fig5",
    "Figure 5: high load, arrival rates from 3.0 to 3.5 Mbit/s",
    5,
    (3.0, 3.1, 3.2, 3.3, 3.4, 3.5),
    None,
    [
        "The paper sees all queues out of control above λ = 3.1, all powers above the budget above 3.2, and NOMA's "
        "weighted rate staying around 40 Mbit/s. So it is here with its agent: between λ = 3.1 and 3.3 the queue "
        "bends upward and the power reaches the budget, and from 3.2 on the rate stays at 40 to 41 Mbit/s. Time "
        "division bends before, `exact` and `equivariant` after; how far each reaches is measured under "
        "`beyond-stability`.",
        "The paper has SCA's rate well below the heuristic's at high load; here it is no lower.",
    ],
)
