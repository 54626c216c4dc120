"""What Figures 4 and 5 have in common: the paper's three schemes at arrival rates."""

from __future__ import annotations

from collections.abc import Sequence

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.panels import POWER, QUEUE, RATE, RATE_TRAP
from quedge.experiments.paper_numbers import arrival_rate_marks
from quedge.experiments.presentation import Level, Presentation, Sweep
from quedge.experiments.results import listed
from quedge.experiments.schemes import BESIDE, PAPER_SCHEMES
from quedge.experiments.symbols import axis_label

ARRIVAL_RATE_LABEL = axis_label("arrival_rate_mbps")


def arrival_experiment(
    name: str, title: str, figure: int, rates: Sequence[float], queue_level: Level | None, remarks: Sequence[str]
) -> Experiment:
    """The three schemes at some arrival rates (Mbit/s), beside a figure of the paper's."""
    return Experiment(
        name=name,
        title=title,
        caption="Data queue and power per device, weighted rate of the cell; means over the second half of a run.",
        grids=[Grid([*PAPER_SCHEMES, *BESIDE], vary(arrival_rate_mbps=rates))],
        shown=Presentation(
            Sweep(
                "arrival_rate_mbps",
                ARRIVAL_RATE_LABEL,
                [QUEUE._replace(level=queue_level), POWER, RATE],
                marks=arrival_rate_marks(figure),
            )
        ),
        remarks=[RATE_TRAP, *remarks],
        result=lambda found: (
            f"Data queue at λ = {rates[-1]:g} Mbit/s (Mbit): "
            f"{listed(found.each('data_queue_mbit', arrival_rate_mbps=rates[-1]), '.3g')}."
        ),
    )
