"""Figure 8: what the weight V of the rate does over time."""

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.panels import ENERGY_QUEUE, POWER, QUEUE, RATE, RATE_TRAP, SETTLED
from quedge.experiments.paper.shortest import shortest_queue
from quedge.experiments.paper_numbers import by_line, table4_marks
from quedge.experiments.presentation import Course, Presentation
from quedge.experiments.results import Results
from quedge.experiments.schemes import LYDROO_NOMA

V_VALUES = (1.0, 50.0, 100.0, 500.0, 1000.0)
SMALL_V = (
    "The queue at V = 1 exceeds that at V = 50, in the paper (24.6 and 18.6 Mbit) as here. That is no mistake: at "
    "small V a nearly empty queue is not worth its energy, so it stays. Theory only says that the queue is at most of "
    "order V."
)


def found_queues(found: Results) -> str:
    """The shortest queue that keeps the power budget, here and in the paper."""
    return shortest_queue(found, LYDROO_NOMA.name, table4_marks())


EXPERIMENT = Experiment(
    name="fig8",
    title="Figure 8: the weight V of the rate",
    caption="Queues, power and weighted rate of lydroo-noma over time, one line per V.",
    grids=[Grid([LYDROO_NOMA], vary(v=V_VALUES))],
    shown=Presentation(Course([QUEUE, ENERGY_QUEUE, POWER, RATE], lines="v", marks=by_line(table4_marks()))),
    remarks=[f"The paper's marks at the right edge are those of Table IV. {SETTLED}", SMALL_V, RATE_TRAP],
    result=found_queues,
)
