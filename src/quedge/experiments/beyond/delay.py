"""How long data waits."""

from quedge.experiments.beyond.sweeps import ARRIVAL_RATES, BEYOND, COMPARED
from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.panels import DELAY, DELAY_COLUMN, DELAY_P95, DELAY_P95_COLUMN
from quedge.experiments.paper.arrivals import ARRIVAL_RATE_LABEL
from quedge.experiments.presentation import Presentation, Sweep, Table
from quedge.experiments.results import Results, listed
from quedge.model.scenario import Scenario


def found_delays(found: Results) -> str:
    """At the paper's arrival rate."""
    rate = Scenario().arrival_rate_mbps
    delays = listed(found.each("delay_p95_frames", arrival_rate_mbps=rate), ".1f")
    return f"95 % of the bits at λ = {rate:g} Mbit/s wait no longer than (frames): {delays}."


EXPERIMENT = Experiment(
    name="beyond-delay",
    title="Delay, mean and 95th percentile",
    caption=(
        "Mean delay by Little's law; the percentile is over all bits that arrive in the second half of a run, each "
        "queue first come, first served."
    ),
    grids=[Grid(COMPARED, vary(arrival_rate_mbps=ARRIVAL_RATES))],
    shown=Presentation(
        Sweep("arrival_rate_mbps", ARRIVAL_RATE_LABEL, [DELAY, DELAY_P95]),
        Table([("arrival_rate_mbps", "λ (Mbit/s)")], [DELAY_COLUMN, DELAY_P95_COLUMN]),
    ),
    remarks=[
        "Data that arrives during a frame can be processed in the next one at the earliest: one frame is the shortest "
        "delay. Above the largest stable rate delays grow for as long as a run lasts; what is shown there depends on "
        "the length of the run, and bits that still wait at its end count with the time that they have waited."
    ],
    chapter=BEYOND,
    result=found_delays,
)
