"""Figure 6: execution time by the number of devices."""

from quedge.experiments.experiment import Experiment
from quedge.experiments.paper.allocation_times import GRIDS, PROBE, REMARKS, found_times
from quedge.experiments.paper_numbers import table2_marks
from quedge.experiments.presentation import Panel, Presentation, Sweep

EXPERIMENT = Experiment(
    name="fig6",
    title="Figure 6: execution time of one allocation",
    caption=(
        "Median over 30 frames; bands are the quartiles. Right: the part of SCA's time spent inside its solver, "
        "without the modelling around it."
    ),
    grids=GRIDS,
    probe=PROBE,
    shown=Presentation(
        Sweep(
            "devices",
            "number of devices N",
            [
                Panel("time_us", "time of a call (µs)", "log", quartiles=True),
                Panel("solver_us", "inside the solver (µs)", "log", quartiles=True),
            ],
            marks=table2_marks(),
        )
    ),
    remarks=REMARKS,
    result=found_times,
)
