"""Ray-traced channels: a walk through Munich."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid
from quedge.experiments.presentation import DELAY_P95, OBJECTIVE_RATIO, OFFLOAD_RATIO, POWER, QUEUE, Ranking, Table
from quedge.experiments.results import queues_and_powers
from quedge.policy.registry import BESIDE, BEST_PAIR, BEST_SINGLE, PAPER_SCHEMES
from quedge.simulation.recordings.recording import MUNICH_FRAMES, MUNICH_SCENARIO, MunichWalk

EXPERIMENT = Experiment(
    name="beyond-munich",
    title="A walk through Munich, on ray-traced channels",
    caption="Ten devices on ray-traced channel gains; seeds differ in the arrivals only.",
    grids=[
        Grid(
            [*PAPER_SCHEMES, *BESIDE, BEST_PAIR, BEST_SINGLE],
            base=MUNICH_SCENARIO,
            frames=MUNICH_FRAMES,
            channel=MunichWalk(),
        )
    ],
    figure=Ranking([QUEUE, POWER, OBJECTIVE_RATIO]),
    table=Table([], [QUEUE, DELAY_P95, POWER, OFFLOAD_RATIO, OBJECTIVE_RATIO]),
    remarks=[
        "More devices offload at once here than in the paper's cell, and what separates the policies grows with it.",
        "The scene is built from OpenStreetMap data (© OpenStreetMap contributors, ODbL).",
    ],
    chapter=BEYOND,
    result=lambda found: queues_and_powers(found, 3),
)
