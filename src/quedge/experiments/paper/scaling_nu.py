"""Figure 9 and Table III: the scaling ν of the virtual energy queue."""

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.paper.weight_v import shortest_queue
from quedge.experiments.paper_numbers import by_line, table3_marks
from quedge.experiments.presentation import AVERAGING, ENERGY_QUEUE, POWER, QUEUE, RATE, RATE_TRAP, Table, TimeSeries
from quedge.experiments.results import Results
from quedge.policy.registry import BESIDE, LYDROO_NOMA

NU_VALUES = (1.0, 50.0, 100.0, 500.0, 1000.0)
UNSETTLED_NU = (
    "At ν = 1 the energy queue has not settled within 10,000 frames, for the paper or for us: until it has, power "
    "exceeds its budget. The paper says that the data queue grows without bound from ν = 500 on. At ν = 500 its own "
    "weighted rate, 37.52 Mbit/s, is what arrives, and here the queue settles at that length; only at ν = 1,000 it "
    "grows for as long as the run lasts."
)


def found_queues(found: Results) -> str:
    """The shortest queue that keeps the power budget, here and in the paper."""
    return shortest_queue(found, LYDROO_NOMA.name, table3_marks())


FIG9 = Experiment(
    name="fig9",
    title="Figure 9: the scaling ν of the virtual energy queue",
    caption="Queues, power and weighted rate of lydroo-noma over time, one line per ν.",
    grids=[Grid([LYDROO_NOMA], vary(nu=NU_VALUES))],
    figure=TimeSeries([QUEUE, ENERGY_QUEUE, POWER, RATE], lines="nu", marks=by_line(table3_marks())),
    remarks=[f"The paper's marks at the right edge are those of Table III. {AVERAGING}", UNSETTLED_NU, RATE_TRAP],
    result=found_queues,
)


TABLE3 = Experiment(
    name="table3",
    title="Table III: the scaling ν of the virtual energy queue",
    caption="V = 20; mean ± half of the 95 % confidence interval over the seeds.",
    grids=[Grid([LYDROO_NOMA, *BESIDE], vary(nu=NU_VALUES))],
    table=Table([("nu", "ν")], [QUEUE, ENERGY_QUEUE, RATE, POWER], table3_marks()),
    remarks=[AVERAGING, UNSETTLED_NU, RATE_TRAP],
    result=found_queues,
)
