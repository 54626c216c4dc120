"""A finite edge server, and devices that live on what they harvest."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.presentation import (
    MEAN_DELAY,
    OBJECTIVE_RATIO,
    OFFLOAD_RATIO,
    POWER,
    QUEUE,
    Measure,
    Sweep,
    Table,
)
from quedge.experiments.results import Results, at, listed
from quedge.experiments.symbols import heading_of
from quedge.policy.registry import BEST_PAIR, BEST_SINGLE, EXACT, LAGRANGIAN

FREQUENCIES_HZ = (1.1e9, 1.15e9, 1.2e9, 1.3e9, 1.5e9, 2e9, 3e9)
HARVESTS_W = (0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.12)
FRAMES = 4_000

SERVER_QUEUE = Measure("server_queue_mbit", "queue at the server (Mbit)", "queue")
END_TO_END = Measure("end_to_end_delay_frames", "delay, end to end (frames)", "queue")
BATTERY = Measure("battery_j", "energy in the battery (J)")


def found_delays(found: Results) -> str:
    """End to end, at the slowest and the fastest server."""
    ends = [
        f"{at(server_frequency_hz=end)}: "
        + listed(found.each("end_to_end_delay_frames", server_frequency_hz=end), ",.1f")
        for end in (FREQUENCIES_HZ[0], FREQUENCIES_HZ[-1])
    ]
    return f"Mean delay, end to end (frames), at {'; at '.join(ends)}."


SERVER = Experiment(
    name="beyond-server",
    title="A finite edge server",
    caption="The server's frequency is shared by all devices; what is offloaded waits there in turn.",
    grids=[Grid([EXACT, BEST_PAIR, BEST_SINGLE, LAGRANGIAN], vary(server_frequency_hz=FREQUENCIES_HZ), frames=FRAMES)],
    figure=Sweep("server_frequency_hz", [QUEUE, SERVER_QUEUE, END_TO_END, OFFLOAD_RATIO]),
    table=Table(
        [("server_frequency_hz", heading_of("server_frequency_hz"))],
        [QUEUE, SERVER_QUEUE, END_TO_END, POWER, OFFLOAD_RATIO, OBJECTIVE_RATIO],
    ),
    remarks=[
        "Policies weigh an offloaded Mbit by the difference of its two queues (backpressure): the slower the server, "
        "the less is offloaded, until its queue is as long as the devices' own."
    ],
    chapter=BEYOND,
    result=found_delays,
)


def found_queues(found: Results) -> str:
    """At the smallest and the largest harvest."""
    ends = [
        f"{at(harvest_w=end)}: {listed(found.each('data_queue_mbit', harvest_w=end), ',.1f')}"
        for end in (HARVESTS_W[0], HARVESTS_W[-1])
    ]
    return f"Data queue (Mbit) at {'; at '.join(ends)}."


BATTERIES = Experiment(
    name="beyond-battery",
    title="Devices that live on what they harvest",
    caption="A battery of 1 J, full at first; the budget of the mean power stays 0.08 W.",
    grids=[
        Grid(
            [EXACT, BEST_PAIR, BEST_SINGLE, LAGRANGIAN],
            [{"battery_j": 1.0, **variant} for variant in vary(harvest_w=HARVESTS_W)],
            frames=FRAMES,
        )
    ],
    figure=Sweep("harvest_w", [QUEUE, POWER, BATTERY, OFFLOAD_RATIO]),
    table=Table(
        [("harvest_w", heading_of("harvest_w"))], [QUEUE, MEAN_DELAY, POWER, BATTERY, OFFLOAD_RATIO, OBJECTIVE_RATIO]
    ),
    remarks=[
        "Where the harvest is above the budget of the mean power the battery is nearly full, and the budget is what "
        "limits; where it is below, the battery runs empty, and each frame has what it harvested."
    ],
    chapter=BEYOND,
    result=found_queues,
)
