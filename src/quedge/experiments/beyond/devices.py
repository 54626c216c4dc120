"""From ten devices to a thousand."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid
from quedge.experiments.presentation import OBJECTIVE_RATIO, POWER, QUEUE, Measure, Sweep, Table
from quedge.experiments.results import Results, descending, listed
from quedge.policy.registry import BEST_PAIR, BEST_SINGLE, EQUIVARIANT, EXACT

BANDWIDTH_OF_A_DEVICE_HZ = 0.2e6
DECISION = Measure(
    "decision_us_p50",
    "median time of a decision (µs)",
    "log",
    heading="decision, median (µs)",
    digits=0,
    quartiles=True,
)


def cells(*devices: int) -> list[dict[str, float]]:
    """Cells in which each device has as much bandwidth as in the paper's."""
    return [{"devices": number, "bandwidth_hz": BANDWIDTH_OF_A_DEVICE_HZ * number} for number in devices]


def found_in_the_largest_cell(found: Results) -> str:
    """What each reaches where it still runs."""
    largest = found.largest("devices")
    ratios = listed(descending(found.each("objective_ratio", devices=largest)), ".3f")
    return f"Of each frame's optimum at N = {largest:,}: {ratios}."


EXPERIMENT = Experiment(
    name="beyond-devices",
    title="From 10 devices to 1,000",
    caption=(
        "The bandwidth grows with the cell, 0.2 MHz per device as in the paper; larger cells run for fewer frames. "
        "best-pair stops at N = 100: it compares N (N + 1)/2 + 1 allocations per frame."
    ),
    grids=[
        Grid([EXACT, EQUIVARIANT, BEST_SINGLE, BEST_PAIR], cells(10, 30, 100), frames=2_000),
        Grid([EXACT, EQUIVARIANT, BEST_SINGLE], cells(300), frames=1_000),
        Grid([EXACT, EQUIVARIANT, BEST_SINGLE], cells(1000), frames=300),
    ],
    figure=Sweep("devices", [QUEUE, POWER, OBJECTIVE_RATIO, DECISION], logarithmic=True),
    table=Table([("devices", "N")], [QUEUE, POWER, OBJECTIVE_RATIO, DECISION]),
    remarks=[
        "Times of decisions were taken while the other processors were busy too; equivariant's include its learning. "
        "In cells of hundreds of devices equivariant does not always learn within runs this short: see its intervals. "
        "Of two cells of other sizes only the times and the shares of the optimum can be compared."
    ],
    chapter=BEYOND,
    result=found_in_the_largest_cell,
)
