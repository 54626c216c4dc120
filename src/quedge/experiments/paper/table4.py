"""Table IV: the weight V of the rate."""

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.panels import (
    ENERGY_QUEUE_COLUMN,
    POWER_COLUMN,
    QUEUE_COLUMN,
    RATE_COLUMN,
    RATE_TRAP,
    SETTLED,
)
from quedge.experiments.paper.fig8 import SMALL_V, V_VALUES, found_queues
from quedge.experiments.paper_numbers import table4_marks
from quedge.experiments.presentation import Presentation, Table
from quedge.experiments.schemes import BESIDE, LYDROO_NOMA

EXPERIMENT = Experiment(
    name="table4",
    title="Table IV: the weight V of the rate",
    caption="ν = 60; mean ± half of the 95 % confidence interval over the seeds.",
    grids=[Grid([LYDROO_NOMA, *BESIDE], vary(v=V_VALUES))],
    shown=Presentation(
        table=Table([("v", "V")], [QUEUE_COLUMN, ENERGY_QUEUE_COLUMN, RATE_COLUMN, POWER_COLUMN], table4_marks())
    ),
    remarks=[SETTLED, SMALL_V, RATE_TRAP],
    result=found_queues,
)
