"""Table III: the scaling ν of the energy queue."""

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.panels import (
    ENERGY_QUEUE_COLUMN,
    POWER_COLUMN,
    QUEUE_COLUMN,
    RATE_COLUMN,
    RATE_TRAP,
    SETTLED,
)
from quedge.experiments.paper.fig9 import NU_VALUES, UNSETTLED_NU, found_queues
from quedge.experiments.paper_numbers import table3_marks
from quedge.experiments.presentation import Presentation, Table
from quedge.experiments.schemes import BESIDE, LYDROO_NOMA

EXPERIMENT = Experiment(
    name="table3",
    title="Table III: the scaling ν of the virtual energy queue",
    caption="V = 20; mean ± half of the 95 % confidence interval over the seeds.",
    grids=[Grid([LYDROO_NOMA, *BESIDE], vary(nu=NU_VALUES))],
    shown=Presentation(
        table=Table([("nu", "ν")], [QUEUE_COLUMN, ENERGY_QUEUE_COLUMN, RATE_COLUMN, POWER_COLUMN], table3_marks())
    ),
    remarks=[SETTLED, UNSETTLED_NU, RATE_TRAP],
    result=found_queues,
)
