"""Table II: execution time by the number of devices."""

from quedge.experiments.experiment import Experiment
from quedge.experiments.paper.allocation_times import GRIDS, PROBE, REMARKS, found_times
from quedge.experiments.paper_numbers import table2_marks
from quedge.experiments.presentation import Column, Presentation, Table

EXPERIMENT = Experiment(
    name="table2",
    title="Table II: execution time of one allocation",
    caption="Median over 30 frames, with the quartiles in brackets; the paper's are means.",
    grids=GRIDS,
    probe=PROBE,
    shown=Presentation(
        table=Table(
            [("devices", "N")],
            [
                Column("time_us", "time of a call (µs)", 1, quartiles=True),
                Column("solver_us", "inside the solver (µs)", 1, quartiles=True),
                Column("rounds", "rounds", 1),
            ],
            table2_marks(),
        )
    ),
    remarks=REMARKS,
    result=found_times,
)
